//! An identity provider: signs tokens with its private keys and publishes the public ones.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// A running one. Stops on drop.
#[derive(Debug)]
pub struct IdentityProvider {
    address: String,
    published: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

/// A private key with its public name.
pub struct SigningKey {
    id: String,
    pair: Ed25519KeyPair,
}

impl IdentityProvider {
    /// Starts one that publishes these keys.
    #[expect(
        clippy::disallowed_methods,
        reason = "aborted on drop, which a test waits for no more"
    )]
    pub async fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let published = Arc::new(Mutex::new(Value::Null));
        let asked = Arc::new(AtomicUsize::new(0));
        let (served, counted) = (Arc::clone(&published), Arc::clone(&asked));
        let server = tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n")
                    && stream.read_buf(&mut head).await.unwrap_or(0) > 0
                {}
                counted.fetch_add(1, Ordering::AcqRel);
                let body = served.lock().expect("nobody panics with it").to_string();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                // Whoever asked may have left.
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        let provider = Self { address, published, asked, server };
        provider.publish(keys);
        provider
    }

    /// Publishes these keys and no others from now on.
    pub fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
        *self.published.lock().expect("nobody panics with it") = json!({ "keys": keys });
    }

    /// Where the keys are.
    pub fn url(&self) -> String {
        format!("http://{}/keys.json", self.address)
    }

    /// How often they were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl SigningKey {
    /// A new key of that name.
    pub fn new(id: &str) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new());
        let pair = Ed25519KeyPair::from_pkcs8(der.expect("there is chance").as_ref());
        Self { id: id.to_owned(), pair: pair.expect("its own form") }
    }

    /// A token of these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.id });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn public(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.id, "x": x })
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}
