// imapflow as a program: one scenario, and what it saw as one JSON object on stdout.
//
//   node imapflow_peer.js PACKAGES PORT CA USER PASSWORD
//
// PACKAGES is the folder whose node_modules holds imapflow. Two connections: one works, the other
// watches its INBOX by IDLE.
'use strict';
const fs = require('fs');
const { createRequire } = require('module');

const [packages, port, ca, user, pass] = process.argv.slice(2);
const { ImapFlow } = createRequire(packages + '/')('imapflow');

function client() {
    return new ImapFlow({
        host: 'localhost', port: Number(port), secure: true, auth: { user, pass },
        tls: { ca: fs.readFileSync(ca) }, logger: false, qresync: true, clientInfo: { name: 'imapflow' },
    });
}

function seen(emitter, name) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no event ${name}`)), 8000);
        emitter.once(name, (event) => { clearTimeout(timer); resolve(event); });
    });
}

async function text(stream) {
    const pieces = [];
    for await (const piece of stream) pieces.push(piece);
    return Buffer.concat(pieces);
}

function message(subject, body) {
    return [
        'From: "A B" <a@world.test>', 'To: <someone@example.test>', `Subject: ${subject}`,
        'Date: Mon, 2 Jan 2006 15:04:05 +0000', 'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=b', '', '--b', 'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: 8bit', '', body, '--b', 'Content-Type: application/octet-stream; name="d.bin"',
        'Content-Disposition: attachment; filename="d.bin"', 'Content-Transfer-Encoding: base64', '',
        Buffer.from('attached').toString('base64'), '--b--', '',
    ].join('\r\n');
}

async function main() {
    const out = {};
    const one = client(), two = client();
    await one.connect();
    await two.connect();
    out.capabilities = [...one.capabilities.keys()];
    out.enabled = [...one.enabled];
    out.folders = (await one.list()).map((box) => [box.path, box.specialUse || '', box.subscribed]);
    await one.mailboxCreate(['Work', 'Entwürfe']);
    out.renamed = (await one.mailboxRename('Work/Entwürfe', 'Work/done')).newPath;

    await two.mailboxOpen('INBOX');
    const arrival = seen(two, 'exists');
    two.idle();
    const large = Buffer.from(message('large', 'ä'.repeat(38).concat('\r\n').repeat(40000)));
    const appended = await one.append('INBOX', message('first', 'grün'), ['\\Seen', '$label1'], new Date(1e12));
    out.uid = appended.uid;
    out.arrival = (await arrival).count;
    await one.append('INBOX', large);

    const lock = await one.getMailboxLock('INBOX');
    try {
        out.exists = one.mailbox.exists;
        out.permanent = [...one.mailbox.permanentFlags];
        const first = await one.fetchOne('1', {
            uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true,
            labels: true, threadId: true, headers: ['subject'], source: true,
        });
        out.flags = [...first.flags].sort();
        out.subject = first.envelope.subject;
        out.from = first.envelope.from;
        out.date = first.internalDate;
        out.parts = first.bodyStructure.childNodes.map((node) => [node.part, node.type, node.disposition || '']);
        out.source = first.source.toString() === message('first', 'grün');
        const attached = await one.download('1', '2');
        out.attached = [attached.meta.filename, (await text(attached.content)).toString()];
        const whole = await one.download('2');
        out.large = large.equals(await text(whole.content));
        out.found = await one.search({ subject: 'first', seen: true }, { uid: true });
        out.bodies = await one.search({ body: 'grün' }, { uid: true });
        out.keyword = await one.search({ keyword: '$label1' });
        const flagged = seen(two, 'flags');
        await one.messageFlagsAdd('1', ['\\Flagged', 'blue']);
        await one.messageFlagsRemove('1', ['$label1']);
        out.pushed = [...(await flagged).flags].sort();
        out.copied = [...(await one.messageCopy('1', 'Archive')).uidMap];
        const gone = seen(two, 'expunge');
        out.moved = [...(await one.messageMove('1', 'Work/done')).uidMap];
        out.expunged = (await gone).seq || (await gone).uid;
        out.deleted = await one.messageDelete('1');
        out.left = one.mailbox.exists;
    } finally {
        lock.release();
    }
    out.status = await one.status('Archive', { messages: true, unseen: true, uidNext: true, highestModseq: true });
    out.status.highestModseq = String(out.status.highestModseq);
    delete out.status.uidValidity;
    await one.mailboxDelete('Work/done');
    await one.mailboxSubscribe('Archive');
    await two.logout();
    await one.logout();
    return out;
}

main().then(
    (out) => console.log(JSON.stringify(out, (_, value) => (typeof value === 'bigint' ? Number(value) : value))),
    (error) => { console.error(error.stack, error.response || ''); process.exit(1); },
);
