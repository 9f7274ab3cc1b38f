// Logs in once for each line of JSON on standard input; says "in", or why not.
// imapflow_login.js PACKAGES
const { createRequire } = require('module');
const { createInterface } = require('readline');
const { readFileSync } = require('fs');
const { ImapFlow } = createRequire(process.argv[2] + '/')('imapflow');

async function logIn({ port, secure, ca, auth }) {
    const client = new ImapFlow({
        host: 'localhost', port, secure, doSTARTTLS: secure ? undefined : true, auth,
        tls: { ca: readFileSync(ca) }, logger: false,
    });
    client.on('error', () => undefined);
    try {
        await client.connect();
    } catch (error) {
        return `${error.authenticationFailed ? 'refused' : 'failed'} ${error.responseText || error}`;
    }
    const all = await client.list();
    await client.logout();
    return all.some((one) => one.path === 'INBOX') ? 'in' : 'failed: no INBOX';
}

(async () => {
    for await (const line of createInterface({ input: process.stdin })) {
        console.log(String(await logIn(JSON.parse(line))).replace(/\s+/g, ' '));
    }
})();
