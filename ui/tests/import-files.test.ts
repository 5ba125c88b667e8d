import { expect, it } from 'vitest';
import { importsOf } from '../src/import-files';

const token = { name: 'kiro-auth-token.json', content: '{"refreshToken":"r","clientIdHash":"h"}' };
const registration = { name: 'h.json', content: '{"clientId":"c","clientSecret":"s"}' };
const other = { name: 'export.json', content: '[{"refreshToken":"x"}]' };

it('sends a registration file along with the account files, not as an account', () => {
  expect(importsOf([registration, token, other])).toEqual([
    { content: token.content, companions: [registration] },
    { content: other.content, companions: [registration] },
  ]);
});

it('sends the token files that a list of accounts names along with that list, whatever the folder', () => {
  const first = { name: 'one.json', content: '{"refreshToken":"1"}' };
  const second = { name: 'two.json', content: '{"refreshToken":"2"}' };
  const stranger = { name: 'wo.json', content: '{"refreshToken":"3"}' };
  const list = { name: 'config.json', content: '{"accounts":[{"token_path":"C:\\\\Users\\\\you\\\\one.json"},{"token_path":"/home/you/two.json"}]}' };
  expect(importsOf([first, second, stranger, list, registration])).toEqual([
    { content: stranger.content, companions: [registration] },
    { content: list.content, companions: [registration, first, second] },
  ]);
});

it('leaves a judgement about files that are no accounts to the gateway', () => {
  expect(importsOf([registration])).toEqual([{ content: registration.content }]);
  expect(importsOf([{ name: 'a.txt', content: 'not json' }])).toEqual([{ content: 'not json' }]);
});
