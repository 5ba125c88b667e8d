// What fields show while they are empty. No words: the same in every language.
export const EXAMPLES = {
  proxy: 'socks5://127.0.0.1:1080',
  region: 'us-east-1',
  address: '192.168.1.20',
  apiKey: 'ksk_…',
  startUrl: 'https://d-1234567890.awsapps.com/start',
} as const;
