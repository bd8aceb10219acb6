// An OpenID provider for tests: npm's oidc-provider with its own pages for login and consent, where any password is right.
//
//	node provider.mjs MODULES ADDRESS PORT CONFIG
//
// CONFIG is a JSON file that is read again for each answer: {"redirect", "after", "secret", "inToken", "people": {NAME: {claims}}}.
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const [modules, address, port, config] = process.argv.slice(-4);
const {Provider} = await import(pathToFileURL(modules + '/node_modules/oidc-provider/lib/index.js'));
const read = () => JSON.parse(readFileSync(config, 'utf8'));
const first = read();

const provider = new Provider(`http://${address}:${port}`, {
	clients: [{
		client_id: 'ipcguard', client_secret: first.secret, redirect_uris: [first.redirect], post_logout_redirect_uris: [first.after],
		response_types: ['code'], grant_types: ['authorization_code'],
	}],
	pkce: {required: () => true},
	scopes: ['openid', 'profile', 'groups'],
	claims: {openid: ['sub'], profile: ['preferred_username'], groups: ['groups']},
	conformIdTokenClaims: !first.inToken,
	features: {devInteractions: {enabled: true}, rpInitiatedLogout: {enabled: true}},
	cookies: {keys: ['a key of tests alone']},
	findAccount: (_, id) => ({accountId: id, claims: () => ({sub: id, ...read().people[id]})}),
});
provider.listen(Number(port), address);
process.stdin.resume().on('end', () => process.exit(0)); // it ends with the test that holds the other end
