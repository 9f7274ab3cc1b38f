// tsdav as a program: one scenario, and what it saw as one JSON object on stdout.
//
//   NODE_EXTRA_CA_CERTS=CA node tsdav_peer.js PACKAGES URL USER PASSWORD
//
// PACKAGES is the folder whose node_modules holds tsdav.
'use strict';
const { createRequire } = require('module');

const [packages, serverUrl, username, password] = process.argv.slice(2);
const { DAVClient, DAVNamespaceShort } = createRequire(packages + '/')('tsdav');

function card(uid, name) {
    return `BEGIN:VCARD\r\nVERSION:3.0\r\nUID:${uid}\r\nFN:${name}\r\nN:${name};;;;\r\nEND:VCARD\r\n`;
}

async function main() {
    const client = new DAVClient({
        serverUrl, credentials: { username, password }, authMethod: 'Basic', defaultAccountType: 'carddav',
    });
    const seen = {};
    await client.login();
    seen.home = new URL(client.account.homeUrl).pathname;
    const names = (books) => books.map((book) => book.displayName).sort();
    let books = await client.fetchAddressBooks();
    seen.books = names(books);
    seen.reports = books[0].reports;
    const made = await client.makeCollection({
        url: client.account.homeUrl + 'friends/',
        props: {
            [`${DAVNamespaceShort.DAV}:resourcetype`]: { 'd:collection': {}, 'card:addressbook': {} },
            [`${DAVNamespaceShort.DAV}:displayname`]: 'Friends',
        },
    });
    seen.made = made[0] ? made[0].status : 0;
    books = await client.fetchAddressBooks();
    seen.more = names(books);
    const book = books.find((one) => one.url.endsWith('/default/'));
    const put = [];
    for (const uid of ['one', 'two', 'three']) {
        const done = await client.createVCard({
            addressBook: book, vCardString: card(uid, `Name ${uid}`), filename: `${uid}.vcf`,
        });
        put.push(done.status);
    }
    const again = await client.createVCard({ addressBook: book, vCardString: card('one', 'X'), filename: 'one.vcf' });
    seen.put = [...put, again.status];
    const cards = await client.fetchVCards({ addressBook: book });
    seen.cards = cards.map((one) => one.data).sort();
    const one = cards.find((each) => each.url.endsWith('one.vcf'));
    const changed = await client.updateVCard({ vCard: { ...one, data: card('one', 'Changed') } });
    const stale = await client.updateVCard({ vCard: { ...one, data: card('one', 'Stale') } });
    seen.changed = [changed.status, stale.status];
    const synced = await client.smartCollectionSync({
        collection: { ...book, syncToken: '', objects: [], objectMultiGet: client.addressBookMultiGet.bind(client) },
        method: 'webdav',
    });
    seen.synced = synced.objects.map((each) => each.data).sort();
    const two = synced.objects.find((each) => each.url.endsWith('two.vcf'));
    seen.deleted = (await client.deleteVCard({ vCard: two })).status;
    const next = await client.smartCollectionSync({
        collection: { ...book, syncToken: synced.syncToken, objects: synced.objects, objectMultiGet: client.addressBookMultiGet.bind(client) },
        method: 'webdav', detailedResult: true,
    });
    seen.next = {
        created: next.objects.created.length, updated: next.objects.updated.length,
        deleted: next.objects.deleted.map((each) => new URL(each.url).pathname.split('/').pop()),
        moved: next.syncToken !== synced.syncToken,
    };
    const found = await client.addressBookQuery({
        url: book.url, depth: '1', props: { 'd:getetag': {}, 'card:address-data': {} },
        filters: { 'prop-filter': { _attributes: { name: 'FN' }, 'text-match': { _attributes: { 'match-type': 'contains' }, _text: 'chang' } } },
    });
    seen.found = found.map((each) => each.href.split('/').pop());
    seen.dirty = (await client.isCollectionDirty({ collection: book })).isDirty;
    process.stdout.write(JSON.stringify(seen));
}

main().catch((error) => { console.error(error); process.exit(1); });
