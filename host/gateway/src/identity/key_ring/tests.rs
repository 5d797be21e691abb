use std::fs;

use serde_json::json;
use tokio::task::JoinSet;

use super::*;
use crate::identity::tests::Signing;

/// A ring over a file that the test may change, and the task that fills it.
struct Stage {
    folder: tempfile::TempDir,
    ring: KeyRing,
    tasks: JoinSet<()>,
    drain: CancellationToken,
}

impl Stage {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ring, keeper) = KeyRing::new(KeySource::File(folder.path().join("keys.json")));
        let (mut tasks, drain) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(keeper.run(drain.clone()));
        Self { folder, ring, tasks, drain }
    }

    fn publish(&self, ids: &[&str]) {
        let keys: Vec<_> = ids.iter().map(|id| Signing::ed25519().public(id)).collect();
        fs::write(self.folder.path().join("keys.json"), json!({ "keys": keys }).to_string())
            .unwrap();
    }

    /// Whether there is a key of that name.
    async fn knows(&self, id: &str) -> Result<bool, TokenRefused> {
        self.ring.find((Algorithm::EdDsa, Some(id)), |_| true).await
    }

    fn tries(&self) -> Option<Instant> {
        self.ring.published.borrow().tried
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_found_when_a_token_names_it() {
    let stage = Stage::start();
    stage.publish(&["old"]);
    assert_eq!(stage.knows("old").await, Ok(true));

    tokio::time::advance(COOL_DOWN).await;
    stage.publish(&["old", "new"]);

    assert_eq!(stage.knows("new").await, Ok(true));
    assert_eq!(stage.knows("old").await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_withdrawn_is_gone_after_the_next_fetch() {
    let stage = Stage::start();
    stage.publish(&["old", "new"]);
    assert_eq!(stage.knows("old").await, Ok(true));
    stage.publish(&["new"]);
    let mut published = stage.ring.published.clone();
    published.mark_unchanged();

    published.changed().await.unwrap();

    assert_eq!(stage.knows("old").await, Ok(false));
    assert_eq!(stage.knows("new").await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn invented_names_cost_one_fetch_and_then_none_for_a_while() {
    let stage = Stage::start();
    stage.publish(&["a"]);
    assert_eq!(stage.knows("a").await, Ok(true));
    tokio::time::advance(COOL_DOWN).await;
    let start = Instant::now();

    let names: Vec<String> = (0..100).map(|n| format!("invented-{n}")).collect();
    let asked = futures_util::future::join_all(names.iter().map(|name| stage.knows(name))).await;
    let tried = stage.tries();
    assert!(asked.iter().all(|known| *known == Ok(false)));
    assert_eq!(tried, Some(start), "all of them waited for one fetch");

    for name in &names {
        assert_eq!(stage.knows(name).await, Ok(false));
    }
    assert_eq!(stage.tries(), tried);
    assert_eq!(Instant::now(), start, "and who comes then does not wait");
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_fetched_again_count_for_a_day() {
    let stage = Stage::start();
    stage.publish(&["a"]);
    assert_eq!(stage.knows("a").await, Ok(true));
    let fetched = Instant::now();
    fs::write(stage.folder.path().join("keys.json"), "gone").unwrap();

    let within = Duration::from_mins(24 * 60 - 1);
    sleep_until(fetched + within).await;
    assert_eq!(stage.knows("a").await, Ok(true));
    assert!(stage.ring.is_filled());
    sleep_until(fetched + MAX_AGE + Duration::from_secs(1)).await;
    assert_eq!(stage.knows("a").await, Err(TokenRefused::Unknowable));
    assert!(!stage.ring.is_filled());

    stage.publish(&["a"]);
    sleep(RETRY + COOL_DOWN).await;
    assert_eq!(stage.knows("a").await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_nobody_can_tell() {
    let mut stage = Stage::start();

    assert_eq!(stage.knows("a").await, Err(TokenRefused::Unknowable));

    stage.drain.cancel();
    stage.tasks.join_next().await.unwrap().unwrap();
}
