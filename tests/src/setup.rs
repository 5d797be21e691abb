//! What a gateway is started with: environment, configuration file, the provider behind it.

use std::{collections::BTreeMap, fs, path::Path};

use rand::seq::IndexedRandom as _;

use crate::{Ended, FakeProvider, Gateway, mint, own_host, target};

/// The model id under which [`Setup::with`] offers a fake provider.
const FAKE: &str = "fake";

/// What secrets are made of: no word can be that the gateway knows from weak ones, as `test` comes up in one of some thousands.
const LETTERS: [char; 28] = [
    'B', 'C', 'F', 'G', 'H', 'J', 'K', 'Q', 'V', 'X', 'Y', 'Z', 'b', 'c', 'f', 'g', 'h', 'j', 'k',
    'q', 'v', 'x', 'y', 'z', '6', '7', '8', '9',
];

/// The discard port of loopback, where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// How `unshare` gives a process mounts of its own, whoever runs it.
pub(crate) const OWN_MOUNTS: &[&str] = &["--user", "--map-root-user", "--mount"];

/// Where an archive is that does not share the machine's disk.
#[derive(Debug, Clone)]
pub(crate) enum Disk {
    /// In memory, with room for so much. Gone with the process.
    OfSize(String),
    /// Where it always is, and that alone can be written to.
    OnlyPlace,
}

/// How to start a gateway. The environment of the test itself is not passed on.
#[derive(Debug, Clone)]
#[must_use = "call start()"]
pub struct Setup {
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) config: Option<String>,
    /// The disk that the archive is on, when it has one of its own.
    pub(crate) disk: Option<Disk>,
    secret: String,
    providers: usize,
}

impl Setup {
    /// A gateway whose one model never answers: a loopback host of its own and a port of its choice, a random secret.
    pub fn new() -> Self {
        let secret: String = (0..48).filter_map(|_| LETTERS.choose(&mut rand::rng())).collect();
        let mut setup = Self {
            environment: BTreeMap::new(),
            config: None,
            disk: None,
            secret: secret.clone(),
            providers: 0,
        };
        // Compiling a plugin takes seconds: every test of a run shares what the first one compiled.
        let cache = target().join("tests-compiled");
        fs::create_dir_all(&cache).expect("the target directory is ours");
        setup = setup.set("SLUICE_SANDBOX__CACHE_DIRECTORY", &cache.display().to_string());
        let bind = format!("{}:0", own_host());
        setup = setup.set("SLUICE_SERVER__BIND", &bind).set("JWT_SECRET", &secret);
        setup.provider(1, "nobody", NOWHERE)
    }

    /// A gateway whose one model, `fake`, is answered by `provider` through the OpenAI plugin.
    pub fn with(provider: &FakeProvider) -> Self {
        Self::new().and(FAKE, provider)
    }

    /// One more model, by that id.
    pub fn and(mut self, id: &str, provider: &FakeProvider) -> Self {
        self.providers += 1;
        let n = self.providers;
        self.provider(n, id, &provider.endpoint())
    }

    fn provider(self, n: usize, id: &str, endpoint: &str) -> Self {
        self.set(&format!("LLM_PROVIDER_{n}_ID"), id)
            .set(&format!("LLM_PROVIDER_{n}_NAME"), id)
            .set(&format!("LLM_PROVIDER_{n}_TYPE"), "openai")
            .set(&format!("LLM_PROVIDER_{n}_ENDPOINT"), endpoint)
            .set(&format!("LLM_PROVIDER_{n}_API_KEY"), "key-of-the-test")
            .set(&format!("LLM_PROVIDER_{n}_MODEL"), &format!("upstream-{id}"))
    }

    /// Sets an environment variable.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes an environment variable away.
    pub fn unset(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Passes a configuration file with this text. Its models are all there are.
    pub fn config(mut self, toml: &str) -> Self {
        self.environment.retain(|name, _| !name.starts_with("LLM_PROVIDER"));
        self.config = Some(toml.to_owned());
        self
    }

    /// Whether this machine lets a process have a disk of its own. Says why not.
    pub fn can_have_a_disk() -> Result<(), String> {
        let tried = std::process::Command::new("unshare")
            .args([OWN_MOUNTS, &["sh", "-c", "mount -t tmpfs -o size=64k none /tmp"]].concat())
            .output();
        match tried {
            Ok(output) if output.status.success() => Ok(()),
            Ok(_) => Err("this machine lets nobody mount a disk of their own".to_owned()),
            Err(_) => Err("there is no program `unshare`".to_owned()),
        }
    }

    /// Puts the archive on a disk of its own, of that size: `3m`. It is gone with the process.
    pub fn on_a_disk_of(mut self, size: &str) -> Self {
        self.disk = Some(Disk::OfSize(size.to_owned()));
        self
    }

    /// Leaves it the folder of the archive to write to, and nothing else of the machine.
    pub fn with_all_else_read_only(mut self) -> Self {
        self.disk = Some(Disk::OnlyPlace);
        self
    }

    /// Lets metrics be read as often as a test has to look.
    pub fn watched(self) -> Self {
        self.set("SLUICE_LIMITS__PUBLIC", "100000/1m")
    }

    /// The environment variables it is started with.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// What tokens are signed with.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// A token for `user`, as this gateway's identity provider would sign it.
    pub fn token(&self, user: &str) -> String {
        self.token_with(user, &[])
    }

    /// A token for `user` with these roles.
    pub fn token_with(&self, user: &str, roles: &[&str]) -> String {
        let header = serde_json::json!({ "alg": "HS256", "typ": "JWT" });
        let mut claims = crate::claims(user);
        claims["roles"] = serde_json::json!(roles);
        mint(&header, &claims, &self.secret)
    }

    /// Starts the gateway and waits until it is ready.
    pub async fn start(self) -> Gateway {
        Gateway::start(self).await
    }

    /// Starts a gateway that ends by itself, and says how.
    pub async fn ended(self) -> Ended {
        crate::gateway::ended(&self, &["serve"]).await
    }

    /// Runs another command of the binary with this setup, to its end.
    pub async fn run(self, arguments: &[&str]) -> Ended {
        crate::gateway::ended(&self, arguments).await
    }

    /// Writes the configuration file, and names it on the command line.
    pub(crate) fn arguments(&self, home: &Path) -> Vec<String> {
        let Some(text) = &self.config else { return Vec::new() };
        let file = home.join("sluice.toml");
        fs::write(&file, text).expect("the test's folder is ours");
        vec!["--config".to_owned(), file.display().to_string()]
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}
