CREATE TABLE config_account (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    password_hash VARCHAR NOT NULL,
    enabled BOOLEAN NOT NULL,
    admin BOOLEAN NOT NULL,
    quota_bytes BIGINT NOT NULL,
    quota_messages BIGINT NOT NULL,
    created FLOAT NOT NULL,
    modseq BIGINT NOT NULL,
    imap_mask VARCHAR DEFAULT '' NOT NULL,
    gmail_labels BOOLEAN DEFAULT 0 NOT NULL,
    submission TEXT DEFAULT '' NOT NULL,
    scram TEXT DEFAULT '' NOT NULL,
    UNIQUE ("key")
);
CREATE INDEX config_account_domain ON config_account (domain);
CREATE TABLE config_alias (
    "key" VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    alias VARCHAR NOT NULL,
    created FLOAT NOT NULL,
    PRIMARY KEY ("key")
);
CREATE INDEX config_alias_domain ON config_alias (domain);
CREATE TABLE config_audit (
    "key" BLOB NOT NULL,
    first FLOAT NOT NULL,
    last FLOAT NOT NULL,
    kind VARCHAR NOT NULL,
    account BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    protocol VARCHAR NOT NULL,
    client TEXT NOT NULL,
    credential VARCHAR NOT NULL,
    detail TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY ("key")
);
CREATE INDEX config_audit_account ON config_audit (account, last);
CREATE INDEX config_audit_last ON config_audit (last);
CREATE TABLE config_block (
    network VARCHAR NOT NULL,
    until FLOAT,
    reason TEXT NOT NULL,
    created FLOAT NOT NULL,
    PRIMARY KEY (network)
);
CREATE TABLE config_code_sent (
    id INTEGER NOT NULL,
    "key" VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    peer VARCHAR NOT NULL,
    sent BOOLEAN NOT NULL,
    at FLOAT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX config_code_sent_at ON config_code_sent (at);
CREATE INDEX config_code_sent_peer ON config_code_sent (peer);
CREATE INDEX config_code_sent_target ON config_code_sent (target);
CREATE TABLE config_correspondent (
    account BIGINT NOT NULL,
    "key" VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    count BIGINT NOT NULL,
    first FLOAT NOT NULL,
    last FLOAT NOT NULL,
    PRIMARY KEY (account, "key")
);
CREATE INDEX config_correspondent_last ON config_correspondent (account, last);
CREATE TABLE config_dkim_key (
    domain VARCHAR NOT NULL,
    selector VARCHAR NOT NULL,
    algorithm VARCHAR NOT NULL,
    private BLOB NOT NULL,
    created FLOAT NOT NULL,
    seen FLOAT,
    used FLOAT,
    retired FLOAT,
    PRIMARY KEY (domain, selector)
);
CREATE TABLE config_domain (
    name VARCHAR NOT NULL,
    created FLOAT NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE config_failed_address (
    "key" VARCHAR NOT NULL,
    times TEXT NOT NULL,
    last FLOAT NOT NULL,
    PRIMARY KEY ("key")
);
CREATE TABLE config_hold_rule (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    sender VARCHAR,
    recipient VARCHAR,
    domain VARCHAR,
    account BIGINT,
    account_address VARCHAR NOT NULL,
    reason TEXT NOT NULL,
    "by" TEXT NOT NULL,
    created FLOAT NOT NULL
);
CREATE TABLE config_invite (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL,
    note TEXT NOT NULL,
    created FLOAT NOT NULL,
    expires FLOAT NOT NULL,
    taken BIGINT,
    account VARCHAR NOT NULL,
    UNIQUE (hash)
);
CREATE TABLE config_kept_sender (
    token VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    expires FLOAT NOT NULL,
    PRIMARY KEY (token)
);
CREATE INDEX config_kept_sender_expires ON config_kept_sender (expires);
CREATE TABLE config_metadata (
    account BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    user BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (account, mailbox, user, name)
);
CREATE INDEX config_metadata_user ON config_metadata (user);
CREATE TABLE config_report (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind VARCHAR NOT NULL,
    organisation VARCHAR NOT NULL,
    contact VARCHAR NOT NULL,
    report_id VARCHAR NOT NULL,
    domain VARCHAR NOT NULL,
    "begin" FLOAT NOT NULL,
    "end" FLOAT NOT NULL,
    received FLOAT NOT NULL,
    verified BOOLEAN NOT NULL,
    messages BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    CONSTRAINT config_report_known UNIQUE (kind, organisation, report_id, domain)
);
CREATE INDEX config_report_end ON config_report ("end");
CREATE TABLE config_report_count (
    kind VARCHAR NOT NULL,
    day INTEGER NOT NULL,
    domain VARCHAR NOT NULL,
    digest BLOB NOT NULL,
    head TEXT NOT NULL,
    detail TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (kind, day, domain, digest)
);
CREATE TABLE config_schema (
    version INTEGER NOT NULL
);
CREATE TABLE config_secret (
    name VARCHAR NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE config_seen (
    kind INTEGER NOT NULL,
    "key" BLOB NOT NULL,
    first FLOAT NOT NULL,
    last FLOAT NOT NULL,
    passed FLOAT,
    PRIMARY KEY (kind, "key")
);
CREATE INDEX config_seen_last ON config_seen (kind, last);
CREATE TABLE config_sent_count (
    account INTEGER NOT NULL,
    at FLOAT NOT NULL,
    messages BIGINT NOT NULL,
    recipients BIGINT NOT NULL,
    PRIMARY KEY (account, at)
);
CREATE INDEX config_sent_count_at ON config_sent_count (at);
CREATE TABLE config_sign_up (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    password_hash VARCHAR NOT NULL,
    scram TEXT NOT NULL,
    target VARCHAR NOT NULL,
    invite BLOB,
    salt BLOB NOT NULL,
    code BLOB NOT NULL,
    tries INTEGER NOT NULL,
    expires FLOAT NOT NULL
);
CREATE INDEX config_sign_up_expires ON config_sign_up (expires);
CREATE INDEX config_sign_up_key ON config_sign_up ("key");
CREATE TABLE config_source_count (
    address VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    day INTEGER NOT NULL,
    messages BIGINT NOT NULL,
    PRIMARY KEY (address, provider, day)
);
CREATE TABLE config_suppression (
    "key" VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    until FLOAT,
    reason TEXT NOT NULL,
    created FLOAT NOT NULL,
    origin VARCHAR NOT NULL,
    PRIMARY KEY ("key")
);
CREATE TABLE config_acl (
    account INTEGER NOT NULL,
    mailbox BIGINT NOT NULL,
    uidvalidity BIGINT NOT NULL,
    grantee BIGINT NOT NULL,
    negative BOOLEAN NOT NULL,
    rights VARCHAR NOT NULL,
    PRIMARY KEY (account, mailbox, uidvalidity, grantee, negative),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE INDEX config_acl_grantee ON config_acl (grantee);
CREATE TABLE config_alias_target (
    alias_key VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    target VARCHAR NOT NULL,
    PRIMARY KEY (alias_key, position),
    FOREIGN KEY(alias_key) REFERENCES config_alias ("key") ON DELETE CASCADE
);
CREATE TABLE config_answered (
    account INTEGER NOT NULL,
    "key" BLOB NOT NULL,
    at FLOAT NOT NULL,
    PRIMARY KEY (account, "key"),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE TABLE config_contact_group (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    uid VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    CONSTRAINT config_contact_group_uid UNIQUE (account, uid),
    CONSTRAINT config_contact_group_name UNIQUE (account, name),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE TABLE config_credential (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    terms TEXT NOT NULL,
    created FLOAT NOT NULL,
    expires FLOAT,
    access_until FLOAT,
    used FLOAT,
    used_from VARCHAR DEFAULT '' NOT NULL,
    used_by VARCHAR DEFAULT '' NOT NULL,
    scram TEXT DEFAULT '' NOT NULL,
    hash BLOB NOT NULL,
    refresh_hash BLOB,
    spent_hash BLOB,
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE,
    UNIQUE (hash),
    UNIQUE (refresh_hash)
);
CREATE INDEX config_credential_account ON config_credential (account, kind);
CREATE INDEX config_credential_expires ON config_credential (expires);
CREATE INDEX config_credential_spent ON config_credential (spent_hash);
CREATE TABLE config_journal (
    account INTEGER NOT NULL,
    modseq BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    what TEXT NOT NULL,
    PRIMARY KEY (account, modseq),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE TABLE config_known_login (
    account INTEGER NOT NULL,
    address VARCHAR NOT NULL,
    first FLOAT NOT NULL,
    last FLOAT NOT NULL,
    PRIMARY KEY (account, address),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE INDEX config_known_login_last ON config_known_login (last);
CREATE TABLE config_person (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    uid VARCHAR NOT NULL,
    name TEXT NOT NULL,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    nickname TEXT NOT NULL,
    organization TEXT NOT NULL,
    title TEXT NOT NULL,
    note TEXT NOT NULL,
    more TEXT NOT NULL,
    created FLOAT NOT NULL,
    changed FLOAT NOT NULL,
    CONSTRAINT config_person_uid UNIQUE (account, uid),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE TABLE config_preference (
    account INTEGER NOT NULL,
    "key" VARCHAR NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, "key"),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE TABLE config_reached (
    account INTEGER NOT NULL,
    target VARCHAR NOT NULL,
    at FLOAT NOT NULL,
    PRIMARY KEY (account),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE INDEX config_reached_target ON config_reached (target);
CREATE TABLE config_recovery_code (
    account INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (account, hash),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE TABLE config_report_row (
    report INTEGER NOT NULL,
    position INTEGER NOT NULL,
    source VARCHAR NOT NULL,
    count BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (report, position),
    FOREIGN KEY(report) REFERENCES config_report (id) ON DELETE CASCADE
);
CREATE TABLE config_script (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    text BLOB NOT NULL,
    active BOOLEAN NOT NULL,
    changed FLOAT NOT NULL,
    CONSTRAINT config_script_name UNIQUE (account, name),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX config_script_active ON config_script (account) WHERE active;
CREATE TABLE config_second_factor (
    account INTEGER NOT NULL,
    secret BLOB NOT NULL,
    created FLOAT NOT NULL,
    confirmed FLOAT,
    last_step BIGINT DEFAULT '0' NOT NULL,
    failures INTEGER DEFAULT '0' NOT NULL,
    failed FLOAT DEFAULT '0' NOT NULL,
    PRIMARY KEY (account),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE TABLE config_tag (
    account INTEGER NOT NULL,
    "key" VARCHAR NOT NULL,
    keyword VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    colour VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (account, "key"),
    FOREIGN KEY(account) REFERENCES config_account (id) ON DELETE CASCADE
);
CREATE TABLE config_contact_member (
    "group" INTEGER NOT NULL,
    person INTEGER NOT NULL,
    PRIMARY KEY ("group", person),
    FOREIGN KEY("group") REFERENCES config_contact_group (id) ON DELETE CASCADE,
    FOREIGN KEY(person) REFERENCES config_person (id) ON DELETE CASCADE
);
CREATE INDEX config_contact_member_person ON config_contact_member (person);
CREATE TABLE config_person_email (
    person INTEGER NOT NULL,
    position INTEGER NOT NULL,
    account BIGINT NOT NULL,
    "key" VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    PRIMARY KEY (person, position),
    FOREIGN KEY(person) REFERENCES config_person (id) ON DELETE CASCADE
);
CREATE INDEX config_person_email_key ON config_person_email (account, "key");
