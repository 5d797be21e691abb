// One conversation over one socket. What the server says is only ever shown as text.
'use strict';
const $ = (id) => document.getElementById(id);
const base = new URL('.', location.href);
const FINAL = { 4401: 'This link has expired. Please open a new one.', 4403: 'This is not allowed.', 4409: 'This chat is gone.' };
const ENDS = { cancelled: 'stopped', error: 'broken off', length: 'cut short', interrupted: 'interrupted', takeover: 'taken over' };
const NAMES = { user: 'You', ai: 'Assistant', admin: 'Operator', error: 'Problem' };

let token = takeToken();
let [socket, opened] = [null, false]; // the socket of now, and whether it came to be open
let [attempts, retry] = [0, 0]; // connections in vain; the timer of the next one
let session = sessionStorage.getItem('session') || '';
let [epoch, seq] = [0, 0]; // our place in the session's log
let catchingUp = ''; // 'resume': asked for what was missed; 'history': reading it; 'rest': asked for what history lacks
let holes = false; // something could not be had: read the history again when the answer is complete
const unacknowledged = new Map(); // client_message_id -> {content, model_id, bubble}
const bubbles = new Map(); // message_id -> {item, words, end, length in UTF-8 bytes}

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!given) return sessionStorage.getItem('token');
  if (given !== sessionStorage.getItem('token')) sessionStorage.removeItem('session');
  sessionStorage.setItem('token', given);
  history.replaceState(null, '', location.pathname + location.search);
  return given;
}

function connect() {
  clearTimeout(retry);
  if (!token) return status('Open this page with a link that carries a token.', 'off');
  status('Connecting…', 'busy');
  const url = new URL('ws', base);
  url.protocol = url.protocol.replace('http', 'ws');
  opened = false;
  const mine = socket = new WebSocket(url, ['sluice.v1', `bearer.${token}`]);
  mine.onopen = () => { opened = true; };
  mine.onmessage = (event) => { if (mine === socket) take(JSON.parse(event.data)); };
  mine.onclose = (event) => { if (mine === socket) lost(event.code); };
}

async function lost(code) {
  socket = null;
  if (FINAL[code]) return status(FINAL[code], 'off');
  const seconds = Math.min(2 ** attempts++, 30);
  status(`Disconnected. Trying again in ${seconds} s`, 'busy');
  retry = setTimeout(connect, seconds * 1000);
  if (opened || (await get('sessions?limit=1'))?.status !== 401) return;
  clearTimeout(retry);
  status(FINAL[4401], 'off');
}

const get = (path) => fetch(new URL(path, base), { headers: { Authorization: `Bearer ${token}` } }).catch(() => null);
const status = (text, state) => { $('status').textContent = text; $('status').dataset.state = state; };
const send = (frame) => { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame)); };

function take(frame) {
  if (frame.type === 'connection_status') return greet(frame);
  if (frame.type === 'ack') return acknowledge(frame);
  if (frame.type === 'error') return complain(frame);
  if (frame.type === 'notification') return frame.content && status(frame.content, 'on');
  const event = ['user_message', 'loading', 'ai_response', 'admin_join', 'admin_leave'].includes(frame.type);
  const seen = frame.epoch === epoch && frame.seq <= seq;
  if (!event || frame.session_id !== session || catchingUp || seen) return;
  ({ epoch, seq } = frame);
  if (frame.type === 'loading') answerBubble(frame.message_id);
  else if (frame.type === 'ai_response') hear(frame);
  else if (!bubbles.has(frame.message_id)) bubble(frame.message_id, frame.sender, frame.content || '');
}

function greet(frame) {
  const chosen = $('model').value || sessionStorage.getItem('model');
  const options = frame.models?.map(({ id, name }) => new Option(name || id, id, false, id === chosen));
  if (options) $('model').replaceChildren(...options);
  $('picker').hidden = $('model').length < 2;
  if (!frame.session_id) {
    attempts = 0;
    status('Connected', 'on');
    return session ? resume('resume') : flush(true);
  }
  if (frame.resumed === undefined || frame.session_id !== session || !catchingUp) return;
  if (!frame.resumed && catchingUp === 'resume') return readHistory(frame.epoch);
  if (!frame.resumed) [epoch, seq, holes] = [frame.epoch, frame.seq, true];
  catchingUp = '';
  flush(true);
}

function resume(why) {
  catchingUp = why;
  send({ type: 'resume', session_id: session, epoch, seq });
}

// Reads the stored messages, then asks for what came after the last complete one: pieces say by
// their offset what is already on show, so nothing is doubled and nothing is lost.
async function readHistory(nowEpoch) {
  const [of, on] = [session, socket];
  [catchingUp, holes] = ['history', false];
  const messages = [];
  for (let before = ''; before !== undefined;) {
    const answer = await get(`sessions/${encodeURIComponent(of)}/messages?limit=100${before && `&before=${encodeURIComponent(before)}`}`);
    if (of !== session || on !== socket) return;
    if (answer?.status === 404) return begin();
    if (!answer?.ok) return on.close();
    const page = await answer.json();
    messages.unshift(...page.messages);
    before = page.before ?? undefined;
  }
  clear();
  for (const one of messages) finish(bubble(one.message_id, one.sender, one.content), one.finish_reason);
  [epoch, seq] = [nowEpoch, messages.filter((m) => m.sender !== 'ai' || m.finish_reason).at(-1)?.seq ?? 0];
  resume('rest');
}

function acknowledge(frame) {
  const sent = unacknowledged.get(frame.client_message_id);
  if (!sent) return;
  unacknowledged.delete(frame.client_message_id);
  sent.bubble.item.classList.remove('waiting');
  if (bubbles.has(frame.message_id)) sent.bubble.item.remove(); // a replay has shown it
  else bubbles.set(frame.message_id, sent.bubble);
  if (frame.session_id === session) return;
  session = frame.session_id;
  sessionStorage.setItem('session', session);
  ({ epoch, seq } = frame);
  if (sent.again) resume('resume'); // its answer may have begun before we came back
  else flush(false);
}

function complain(frame) {
  const { code, message, detail } = frame.error;
  unacknowledged.get(frame.client_message_id)?.bubble.item.classList.replace('waiting', 'failed');
  unacknowledged.delete(frame.client_message_id);
  if (code === 'RESUME_FAILED' && catchingUp) return begin();
  const { item } = bubble('', 'error', detail ? `${message} ${detail}` : message);
  if (!session) return flush(false);
  if (!code.startsWith('LLM_')) return;
  const again = item.appendChild(document.createElement('button'));
  again.textContent = 'Try again';
  again.onclick = () => { again.remove(); send({ type: 'regenerate', session_id: session }); };
}

function hear(frame) {
  const one = answerBubble(frame.message_id);
  const content = new TextEncoder().encode(frame.content || '');
  const known = one.length - frame.offset;
  if (known < 0) holes = true;
  else if (known < content.length) {
    one.words.textContent += new TextDecoder().decode(content.subarray(known));
    one.length = frame.offset + content.length;
    follow();
  }
  if (frame.metadata?.done !== 'true') return;
  finish(one, frame.finish_reason);
  if (holes) readHistory(frame.epoch);
}

function answerBubble(id) {
  const one = bubbles.get(id) ?? bubble(id, 'ai', '');
  one.item.setAttribute('aria-busy', 'true');
  $('stop').hidden = false;
  return one;
}

function finish(one, reason) {
  one.item.removeAttribute('aria-busy');
  one.end.textContent = ENDS[reason] ?? '';
  $('stop').hidden = !$('log').querySelector('[aria-busy]');
}

function bubble(id, sender, content) {
  const item = $('log').appendChild(document.createElement('li'));
  item.className = sender === 'error' ? 'failed' : sender;
  const [who, words, end] = ['who', 'words', 'end'].map((name) => {
    const part = item.appendChild(document.createElement('span'));
    part.className = name;
    return part;
  });
  who.textContent = NAMES[sender] ?? 'Notice';
  words.textContent = content;
  follow();
  const one = { item, words, end, length: new TextEncoder().encode(content).length };
  if (id) bubbles.set(id, one);
  return one;
}

function follow(page = $('log').parentElement) {
  if (page.scrollHeight - page.scrollTop - page.clientHeight < 300) page.scrollTop = page.scrollHeight;
}

// Sends what is not acknowledged. Without a session only the first: its ack names the session of the others.
function flush(again) {
  for (const [id, sent] of unacknowledged) {
    sent.again ||= again;
    post(id, sent);
    if (!session) return;
  }
}
const post = (client_message_id, { content, model_id }) =>
  send({ type: 'user_message', content, model_id, session_id: session || undefined, client_message_id });

function clear() {
  bubbles.clear();
  $('stop').hidden = true;
  $('log').replaceChildren(...[...unacknowledged.values()].map((sent) => sent.bubble.item));
}

function begin() {
  if (session) send({ type: 'detach', session_id: session });
  unacknowledged.clear();
  clear();
  sessionStorage.removeItem('session');
  [session, epoch, seq, catchingUp, holes] = ['', 0, 0, '', false];
  $('text').focus();
}

$('form').onsubmit = (event) => {
  event.preventDefault();
  const content = $('text').value.trim();
  if (!content) return;
  $('text').value = '';
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const sent = { content, model_id: $('model').value || undefined, bubble: bubble('', 'user', content), again: false };
  sent.bubble.item.classList.add('waiting');
  unacknowledged.set(id, sent);
  if (!catchingUp && (session || unacknowledged.size === 1)) post(id, sent);
};
$('text').onkeydown = (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('form').requestSubmit();
};
$('stop').onclick = () => send({ type: 'cancel', session_id: session });
$('new').onclick = begin;
$('model').onchange = () => {
  sessionStorage.setItem('model', $('model').value);
  if (session) send({ type: 'model_select', session_id: session, model_id: $('model').value });
};
addEventListener('online', () => { if (!socket) connect(); });
addEventListener('hashchange', () => location.reload());
connect();
