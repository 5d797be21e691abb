//! Chromium without a window, driven over its `DevTools` protocol.

use std::process::Stdio;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::patiently;

/// A running browser, its profile thrown away afterwards.
#[derive(Debug)]
pub struct Browser {
    address: String,
    _child: Child,
    _profile: TempDir,
}

/// One open page.
#[derive(Debug)]
pub struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    sent: u64,
    loads: u64,
    /// Exceptions of the page's script, and what its content policy refused.
    pub complaints: Vec<String>,
}

impl Browser {
    /// Starts one, or says why there is none here.
    pub async fn start() -> Result<Self, String> {
        let program = std::env::var_os("SLUICE_CHROMIUM").unwrap_or_else(|| "chromium".into());
        let profile = TempDir::new().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-sync"])
            .args(["--disable-component-update", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                format!("chromium does not start ({error}); apt-get install chromium")
            })?;
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = patiently("the browser to be ready", async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, address)) = line.split_once("DevTools listening on ") {
                    return Ok(address.trim().to_owned());
                }
            }
            Err("chromium ended before it was ready".to_owned())
        });
        Ok(Self { address: address.await?, _child: child, _profile: profile })
    }

    /// Opens `url` in a page of its own and waits until it is loaded.
    pub async fn open(&self, url: &str) -> Page {
        let (socket, _) = connect_async(&self.address).await.expect("the browser listens");
        let mut page =
            Page { socket, session: String::new(), sent: 0, loads: 0, complaints: Vec::new() };
        let target = page.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = page.call("Target.attachToTarget", attach).await;
        page.session = attached["sessionId"].as_str().expect("attached").to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(domain, json!({})).await;
        }
        page.load("Page.navigate", json!({ "url": url })).await;
        page
    }
}

impl Page {
    /// What an expression of the page's own language comes to, promises awaited.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until a condition on the document holds: looked at with each change of it.
    pub async fn until(&mut self, condition: &str) {
        let watched = format!(
            "new Promise((done) => {{
               const look = () => {{ if ({condition}) {{ watch.disconnect(); done(true); }} }};
               const watch = new MutationObserver(look);
               watch.observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});
               addEventListener('load', look);
               look();
             }})"
        );
        patiently(condition, self.evaluate(&watched)).await;
    }

    /// Loads the page anew, with what its tab remembers.
    pub async fn reload(&mut self) {
        self.load("Page.reload", json!({})).await;
    }

    async fn load(&mut self, method: &str, parameters: Value) {
        let before = self.loads;
        self.call(method, parameters).await;
        patiently("the page to be loaded", async {
            while self.loads == before {
                self.news().await;
            }
        })
        .await;
    }

    /// Types into whatever has the focus, then presses Enter.
    pub async fn type_line(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
        for kind in ["keyDown", "keyUp"] {
            let key = json!({
                "type": kind, "key": "Enter", "code": "Enter", "text": "\r",
                "windowsVirtualKeyCode": 13, "nativeVirtualKeyCode": 13,
            });
            self.call("Input.dispatchKeyEvent", key).await;
        }
    }

    /// Clicks the middle of an element with the mouse.
    pub async fn click(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const r = document.querySelector({}).getBoundingClientRect();
               return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(selector)
        );
        let middle = self.evaluate(&middle).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let mouse = json!({
                "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1,
            });
            self.call("Input.dispatchMouseEvent", mouse).await;
        }
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.sent += 1;
        let mut command = json!({ "id": self.sent, "method": method, "params": parameters });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(command.to_string())).await.expect("the browser lives");
        let id = self.sent;
        patiently(method, async {
            loop {
                let news = self.news().await;
                if news["id"] == id {
                    assert!(news["error"].is_null(), "{method}: {news}");
                    return news["result"].clone();
                }
            }
        })
        .await
    }

    /// The next thing the browser says, noted when it is about the page.
    async fn news(&mut self) -> Value {
        loop {
            let heard = self.socket.next().await.expect("the browser lives").expect("a frame");
            let Message::Text(text) = heard else { continue };
            let news: Value = serde_json::from_str(&text).expect("JSON");
            self.loads += u64::from(news["method"] == "Page.loadEventFired");
            let refused = news["params"]["entry"]["source"] == "security";
            if news["method"] == "Runtime.exceptionThrown" || refused {
                self.complaints.push(news["params"].to_string());
            }
            return news;
        }
    }
}
