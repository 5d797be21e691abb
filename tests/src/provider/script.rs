//! What a fake provider says, step by step. Bytes only; when they go out is `provider`'s.

use serde_json::{Value, json};

/// The script of one answer.
#[derive(Debug, Clone)]
pub struct Script {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Goes out as it is.
    Bytes(Vec<u8>),
    /// Waits for a release.
    Wait,
    /// Says nothing more until the peer hangs up.
    Stall,
    /// Goes out again and again until the peer hangs up.
    Flood(Vec<u8>),
    /// Hangs up.
    Cut,
}

impl Script {
    /// A complete answer in these pieces, with a count of tokens at the end.
    pub fn saying(pieces: &[&str]) -> Self {
        Self::head().pieces(pieces).ending("stop")
    }

    /// As [`Script::saying`], but each piece waits to be released.
    pub fn halting(pieces: &[&str]) -> Self {
        let script = pieces.iter().fold(Self::head(), |script, piece| script.wait().piece(piece));
        script.ending("stop")
    }

    /// Takes the request and never says anything.
    pub fn silent() -> Self {
        Self { steps: vec![Step::Stall] }
    }

    /// Says these pieces, then nothing more, the connection open.
    pub fn stalling(pieces: &[&str]) -> Self {
        let mut script = Self::head().pieces(pieces);
        script.steps.push(Step::Stall);
        script
    }

    /// Says these pieces, then hangs up in the middle of a chunk.
    pub fn cut(pieces: &[&str]) -> Self {
        let mut script = Self::head().pieces(pieces);
        script.steps.push(Step::Bytes(b"400\r\ndata: {\"id\":\"half".to_vec()));
        script.steps.push(Step::Cut);
        script
    }

    /// Says these pieces and ends the body in good order, but without the end mark of the dialect.
    pub fn unfinished(pieces: &[&str]) -> Self {
        let mut script = Self::head().pieces(pieces);
        script.steps.push(Step::Bytes(b"0\r\n\r\n".to_vec()));
        script
    }

    /// Answers another status, with any body.
    pub fn refusing(status: u16, content_type: &str, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status} No\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self { steps: vec![Step::Bytes((head + body).into_bytes())] }
    }

    /// Ends for another reason than having said everything.
    pub fn saying_until(pieces: &[&str], reason: &str) -> Self {
        Self::head().pieces(pieces).ending(reason)
    }

    /// Says these deltas as they are: calls of tools, reasoning, whatever the dialect has.
    pub fn deltas(deltas: &[Value], reason: &str) -> Self {
        let said =
            deltas.iter().fold(Self::head(), |script, delta| script.delta(delta, &Value::Null));
        said.ending(reason)
    }

    /// These bytes, head and all, and then the end of the connection.
    pub fn raw(bytes: &[u8]) -> Self {
        Self { steps: vec![Step::Bytes(bytes.to_vec()), Step::Cut] }
    }

    /// These bytes, head and all, then nothing more, the connection open.
    pub fn hanging(bytes: &[u8]) -> Self {
        Self { steps: vec![Step::Bytes(bytes.to_vec()), Step::Stall] }
    }

    /// These bytes, then others again and again, for as long as anybody takes them.
    pub fn flooding(bytes: &[u8], again: &[u8]) -> Self {
        Self { steps: vec![Step::Bytes(bytes.to_vec()), Step::Flood(again.to_vec())] }
    }

    /// What a vendor said, as recorded in a case of its plugin.
    pub fn recorded(plugin: &str, case: &str) -> Self {
        let file = format!("plugins/{plugin}/cases/{case}/exchange-1.http");
        let recorded = std::fs::read(crate::root().join(&file)).expect("a recorded case");
        let blank = recorded.windows(2).position(|pair| pair == b"\n\n").expect("a blank line");
        let (head, body) = recorded.split_at(blank + 2);
        let head = String::from_utf8_lossy(head).replace('\n', "\r\n");
        Self::raw(&[head.as_bytes(), body].concat())
    }

    /// The same, its bytes cut at these places and written one after the other. What it waits for in between is left out.
    #[must_use]
    pub fn torn(self, cuts: &[usize]) -> Self {
        let whole = self.whole();
        let mut cuts: Vec<usize> = cuts.iter().copied().filter(|at| *at < whole.len()).collect();
        cuts.extend([0, whole.len()]);
        cuts.sort_unstable();
        let steps = cuts.windows(2).map(|two| Step::Bytes(whole[two[0]..two[1]].to_vec()));
        Self { steps: steps.collect() }
    }

    /// How many bytes it says.
    pub fn bytes(&self) -> usize {
        self.clone().whole().len()
    }

    fn whole(self) -> Vec<u8> {
        let bytes = self.steps.into_iter().filter_map(|step| match step {
            Step::Bytes(bytes) => Some(bytes),
            Step::Wait | Step::Stall | Step::Cut | Step::Flood(_) => None,
        });
        bytes.flatten().collect()
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        self.steps.clone()
    }

    fn head() -> Self {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let opening = json!({ "role": "assistant", "content": "" });
        Self { steps: vec![Step::Bytes(head.into())] }.delta(&opening, &Value::Null)
    }

    fn pieces(self, pieces: &[&str]) -> Self {
        pieces.iter().fold(self, |script, piece| script.piece(piece))
    }

    fn piece(self, text: &str) -> Self {
        self.delta(&json!({ "content": text }), &Value::Null)
    }

    fn wait(mut self) -> Self {
        self.steps.push(Step::Wait);
        self
    }

    fn ending(self, reason: &str) -> Self {
        let usage = json!({ "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18 });
        let counted = json!({ "id": "a-1", "object": "chat.completion.chunk", "choices": [], "usage": usage });
        let mut script =
            self.delta(&json!({}), &json!(reason)).event(&counted.to_string()).event("[DONE]");
        script.steps.push(Step::Bytes(b"0\r\n\r\n".to_vec()));
        script
    }

    fn delta(self, delta: &Value, reason: &Value) -> Self {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
        let chunk = json!({ "id": "a-1", "object": "chat.completion.chunk", "choices": [choice] });
        self.event(&chunk.to_string())
    }

    fn event(mut self, data: &str) -> Self {
        let event = format!("data: {data}\n\n");
        self.steps.push(Step::Bytes(format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()));
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::saying(&["Hello", " there", "."])
    }
}
