// JMAP Jam as a program: one step an object of RFC 8620 and RFC 8621, and the extensions by name.
//
//   node jmap_jam_peer.mjs PACKAGES ORIGIN USER PASSWORD OTHER-USER
//
// PACKAGES is the folder whose node_modules holds jmap-jam. Prints one JSON object: by the name of
// each step "ok", or what went wrong.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [packages, origin, user, password, other] = process.argv.slice(2);
const found = createRequire(packages + '/').resolve('jmap-jam');
const { JamClient } = await import(pathToFileURL(found));

const CONTACTS = 'urn:ietf:params:jmap:contacts';
const login = await fetch(`${origin}/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: user, password }),
});
const { access_token: bearerToken } = await login.json();
const jam = new JamClient({
    sessionUrl: `${origin}/.well-known/jmap`,
    bearerToken,
    customCapabilities: {
        AddressBook: CONTACTS, ContactCard: CONTACTS, Quota: 'urn:ietf:params:jmap:quota',
        Blob: 'urn:ietf:params:jmap:blob', SieveScript: 'urn:ietf:params:jmap:sieve',
        Principal: 'urn:ietf:params:jmap:principals',
    },
});
const accountId = await jam.getPrimaryAccount();
const boxes = {};
let email, identity;

const steps = {
    async session() {
        const session = await jam.session;
        assert.equal(session.username, user);
        assert.ok(session.accounts[accountId].isPersonal);
    },
    async mailbox() {
        const [all] = await jam.api.Mailbox.get({ accountId });
        for (const box of all.list) if (box.role) boxes[box.role] = box.id;
        assert.ok(boxes.inbox && boxes.drafts && boxes.sent);
        const create = { a: { name: 'Jam', parentId: null } };
        const [done] = await jam.api.Mailbox.set({ accountId, create });
        const [told] = await jam.api.Mailbox.changes({ accountId, sinceState: all.state });
        assert.deepEqual(told.created, [done.created.a.id]);
        const [query] = await jam.api.Mailbox.query({ accountId, filter: { name: 'jam' } });
        assert.deepEqual(query.ids, [done.created.a.id]);
        const [gone] = await jam.api.Mailbox.set({ accountId, destroy: query.ids });
        assert.deepEqual(gone.destroyed, query.ids);
    },
    async email() {
        const blob = await jam.uploadBlob(accountId, 'bytes of a file');
        const create = {
            d: {
                mailboxIds: { [boxes.drafts]: true }, keywords: { $draft: true },
                from: [{ email: user }], to: [{ email: other }], subject: 'by jam',
                bodyValues: { h: { value: '<p>hello <b>world</b></p>' } },
                htmlBody: [{ partId: 'h', type: 'text/html' }],
                attachments: [{ blobId: blob.blobId, name: 'a.txt', type: 'text/plain' }],
            },
        };
        const [done] = await jam.api.Email.set({ accountId, create });
        assert.equal(done.notCreated, null);
        email = done.created.d.id;
    },
    async references() {
        const filter = { inMailbox: boxes.drafts, text: 'world' };
        const [{ query, emails, threads, snippets }] = await jam.requestMany((t) => {
            const query = t.Email.query({ accountId, filter, limit: 10 });
            const emails = t.Email.get({
                accountId, ids: query.$ref('/ids'), properties: ['threadId', 'attachments'],
            });
            const threads = t.Thread.get({ accountId, ids: emails.$ref('/list/*/threadId') });
            const snippets = t.SearchSnippet.get({
                accountId, filter, emailIds: query.$ref('/ids'),
            });
            return { query, emails, threads, snippets };
        });
        assert.deepEqual(query.ids, [email]);
        assert.deepEqual(threads.list[0].emailIds, [email]);
        assert.match(snippets.list[0].preview, /<mark>world<\/mark>/);
        const { blobId, type } = emails.list[0].attachments[0];
        const file = await jam.downloadBlob({ accountId, blobId, mimeType: type, fileName: 'a.txt' });
        assert.equal(await file.text(), 'bytes of a file');
    },
    async identity() {
        const [all] = await jam.api.Identity.get({ accountId });
        identity = all.list.find((one) => one.email === user).id;
    },
    async submission() {
        const create = { s: { emailId: email, identityId: identity } };
        const patch = { 'keywords/$draft': null, [`mailboxIds/${boxes.drafts}`]: null,
            [`mailboxIds/${boxes.sent}`]: true };
        const [done] = await jam.api.EmailSubmission.set(
            { accountId, create, onSuccessUpdateEmail: { '#s': patch } },
            { using: ['urn:ietf:params:jmap:mail'] },
        );
        assert.equal(done.notCreated, null);
        const [mail] = await jam.api.Email.get({ accountId, ids: [email], properties: ['mailboxIds'] });
        assert.deepEqual(mail.list[0].mailboxIds, { [boxes.sent]: true });
    },
    async vacation() {
        const update = { singleton: { isEnabled: true, textBody: 'away' } };
        const [done] = await jam.api.VacationResponse.set({ accountId, update });
        assert.equal(done.notUpdated, null);
        const [now] = await jam.api.VacationResponse.get({ accountId });
        assert.equal(now.list[0].textBody, 'away');
    },
    async extensions() {
        const [quota] = await jam.api.Quota.get({ accountId });
        assert.ok(Array.isArray(quota.list));
        const [made] = await jam.api.Blob.upload({
            accountId, create: { b: { data: [{ 'data:asText': 'keep;' }] } },
        });
        const [valid] = await jam.api.SieveScript.validate({ accountId, blobId: made.created.b.id });
        assert.equal(valid.error, null);
        const [books] = await jam.api.AddressBook.get({ accountId });
        const create = {
            c: { '@type': 'Card', version: '1.0', name: { full: 'Carol' },
                addressBookIds: { [books.list[0].id]: true } },
        };
        const [card] = await jam.api.ContactCard.set({ accountId, create });
        const [cards] = await jam.api.ContactCard.get({ accountId, ids: [card.created.c.id] });
        assert.equal(cards.list[0].name.full, 'Carol');
        const [principals] = await jam.api.Principal.query({ accountId, filter: { email: user } });
        assert.equal(principals.ids.length, 1);
    },
    async errors() {
        await assert.rejects(jam.api.Email.get({ accountId: 'A0', ids: [] }), {
            type: 'accountNotFound',
        });
        await assert.rejects(jam.request(['Email/nothing', { accountId }]), { type: 'unknownMethod' });
    },
};

const results = {};
for (const [name, step] of Object.entries(steps)) {
    try {
        await step();
        results[name] = 'ok';
    } catch (error) {
        results[name] = error instanceof Error ? `${error.stack}` : JSON.stringify(error);
    }
}
console.log(JSON.stringify(results));
