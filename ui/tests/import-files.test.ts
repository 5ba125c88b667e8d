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

it('leaves a judgement about files that are no accounts to the gateway', () => {
  expect(importsOf([registration])).toEqual([{ content: registration.content }]);
  expect(importsOf([{ name: 'a.txt', content: 'not json' }])).toEqual([{ content: 'not json' }]);
});
