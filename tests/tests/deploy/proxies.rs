//! The proxies, really in front of a gateway: upgrades, pieces as they come, and nothing of tokens in a log.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, Script, Setup, own_address, patiently};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::files;

/// A proxy that runs until this is dropped.
struct Front {
    address: String,
    home: TempDir,
    child: Child,
}

impl Drop for Front {
    fn drop(&mut self) {
        // It may be dead already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Front {
    /// Starts it and waits until it takes connections.
    async fn start(address: String, home: TempDir, command: &mut Command) -> Self {
        let log = fs::File::create(home.path().join("said")).expect("the folder is ours");
        let child = command
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut front = Self { address, home, child };
        patiently("the proxy to take connections", async {
            while TcpStream::connect(&front.address).await.is_err() {
                let ended = front.child.try_wait().expect("asked");
                assert!(ended.is_none(), "{}", front.said());
                tokio::task::yield_now().await; // nobody tells
            }
        })
        .await;
        front
    }

    fn said(&self) -> String {
        fs::read_to_string(self.home.path().join("said")).unwrap_or_default()
    }
}

/// A gateway as the heads of these files want it.
async fn behind(provider: &FakeProvider) -> Gateway {
    Setup::with(provider)
        .set("SLUICE_SERVER__PUBLIC_URL", "https://chat.example")
        .set("SLUICE_SERVER__TRUSTED_PROXIES", "127.0.0.1/32")
        .start()
        .await
}

/// What everybody wants who is behind a proxy.
async fn it_goes_through(front: &Front, gateway: &Gateway, provider: &FakeProvider) {
    let token = gateway.token("alice");
    let dial = gateway.dial().through(&front.address).header("Host", "chat.example");
    // As a page does that carries its token in the query.
    let dial = dial.header("Origin", "https://chat.example");
    let mut alice = dial.query("token", &token).open().await.expect("it is let through");

    alice.say("Tell me a story").await;
    alice.next_of("loading").await;
    provider.release(1);
    // The second piece is not said yet: the first was held back by nobody.
    alice.frames_saying("Once ").await;
    provider.release(1);
    assert_eq!(alice.answer_end().await["finish_reason"], "stop");

    let body = json!({ "model": "fake", "stream": true, "messages": [{ "role": "user", "content": "Again" }] });
    let call = gateway.call("POST", "/v1/chat/completions").bearer(&token).json(&body);
    let events = call.through(&front.address).host("chat.example").events().await;
    provider.release(1);
    let mut events = events.begun().await;
    while !events.next().await.expect("the stream goes on").contains("Once ") {}
    provider.release(1);

    let figures = gateway.call("GET", "/metrics").through(&front.address).host("chat.example");
    assert_eq!(figures.send().await.status, 403);
    let under = gateway.call("GET", "/chatbox/metrics/prometheus").through(&front.address);
    assert_eq!(under.host("chat.example").send().await.status, 403);
}

async fn storyteller() -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.always(Script::halting(&["Once ", "upon."]));
    provider
}

mod needs_nginx {
    use sluice_tests::not_run;

    use super::*;

    /// `nginx.conf` for a folder of its own; `plain` leaves TLS out and listens there.
    fn configuration(home: &TempDir, plain: Option<(&str, &str)>) -> String {
        let here = home.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("    {name}_temp_path {here}/{name};\n"))
            .concat();
        let mut text = files::text("nginx.conf")
            .replace("/run/nginx.pid", &format!("{here}/pid"))
            .replace("/var/log/nginx", &here.to_string())
            .replace("http {\n", &format!("http {{\n{temporary}"))
            .replace("/etc/ssl/chat.example", &here.to_string());
        if let Some((address, upstream)) = plain {
            text = text
                .replace("listen 80;", &format!("listen {};", own_address()))
                .replace("listen 443 ssl http2;", &format!("listen {address};"))
                .replace("server 127.0.0.1:8080;", &format!("server {upstream};"));
            text = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("ssl_"))
                .fold(String::new(), |text, line| text + line + "\n");
        }
        text
    }

    fn nginx(home: &TempDir, text: &str) -> Option<Command> {
        let program = files::program("SLUICE_NGINX", "nginx", "nginx");
        let program = program.map_err(|why| not_run("the test behind nginx", &why)).ok()?;
        let file = home.path().join("nginx.conf");
        fs::write(&file, text).expect("the folder is ours");
        let mut nginx = Command::new(program);
        nginx
            .arg("-p")
            .arg(home.path())
            .arg("-e")
            .arg(home.path().join("errors"))
            .arg("-c")
            .arg(file);
        Some(nginx)
    }

    #[test]
    fn its_configuration_is_one() {
        let home = TempDir::new().expect("a folder");
        let Some(mut nginx) = nginx(&home, &configuration(&home, None)) else { return };
        let certificate = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args([
                "-subj",
                "/CN=chat.example",
                "-days",
                "1",
                "-keyout",
                "privkey.pem",
                "-out",
                "fullchain.pem",
            ])
            .current_dir(home.path())
            .output();
        if !certificate.is_ok_and(|made| made.status.success()) {
            return not_run("the check of nginx.conf", "no openssl to make a certificate with");
        }

        files::succeeds("nginx -t", nginx.arg("-t"));
    }

    #[tokio::test]
    async fn sockets_and_streams_go_through_it_and_no_token_is_logged() {
        let provider = storyteller().await;
        let gateway = behind(&provider).await;
        let (home, address) = (TempDir::new().expect("a folder"), own_address().to_string());
        let text = configuration(&home, Some((&address, gateway.address())));
        let Some(mut nginx) = nginx(&home, &text) else { return };
        let front =
            Front::start(address, home, nginx.args(["-g", "daemon off; master_process off;"]))
                .await;

        it_goes_through(&front, &gateway, &provider).await;

        // A socket is logged once it is closed.
        let log = front.home.path().join("access.log");
        let logged = patiently("the socket to be logged", async {
            loop {
                let logged = fs::read_to_string(&log).expect("a log");
                if logged.contains("GET /chatbox/ws") {
                    return logged;
                }
                tokio::task::yield_now().await; // a file tells nobody that it grew
            }
        })
        .await;
        assert!(!logged.contains("token"), "{logged}");
    }
}

mod needs_caddy {
    use sluice_tests::not_run;

    use super::*;

    fn caddy(home: &TempDir, text: &str, command: &str) -> Option<Command> {
        let program = files::program("SLUICE_CADDY", "caddy", "caddy");
        let program = program.map_err(|why| not_run("the test behind Caddy", &why)).ok()?;
        fs::write(home.path().join("Caddyfile"), text).expect("the folder is ours");
        let mut caddy = Command::new(program);
        caddy
            .args([command, "--adapter", "caddyfile", "--config"])
            .arg(home.path().join("Caddyfile"));
        // Where it keeps what it knows.
        caddy
            .env("HOME", home.path())
            .env("XDG_DATA_HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path());
        Some(caddy)
    }

    #[test]
    fn its_configuration_is_one() {
        let home = TempDir::new().expect("a folder");
        let Some(mut caddy) = caddy(&home, &files::text("Caddyfile"), "validate") else { return };

        files::succeeds("caddy validate", &mut caddy);
    }

    #[tokio::test]
    async fn sockets_and_streams_go_through_it() {
        let provider = storyteller().await;
        let gateway = behind(&provider).await;
        let (home, address) = (TempDir::new().expect("a folder"), own_address());
        let (host, port) = (address.ip(), address.port());
        let site = format!("{{\n\tadmin off\n}}\n\nhttp://chat.example:{port} {{\n\tbind {host}\n");
        let text = files::text("Caddyfile")
            .replace("chat.example {\n", &site)
            .replace("127.0.0.1:8080", gateway.address());
        // The head names the site as well; it is a comment.
        let Some(mut caddy) = caddy(&home, &text, "run") else { return };
        let front = Front::start(address.to_string(), home, &mut caddy).await;

        it_goes_through(&front, &gateway, &provider).await;
    }
}
