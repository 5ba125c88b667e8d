import { mount } from 'svelte';
import { detectHost } from './api/host';
import App from './App.svelte';
import './app.css';
import { Session } from './session';

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target, props: { session: new Session(await detectHost()) } });
