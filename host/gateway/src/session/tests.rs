//! Session memory: who leaves, who stays, and what comes back. Real session tasks on a real archive, under a clock that stands
//! still unless it is moved.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sluice_archive::NewMessage;
use sluice_chat::id::{Epoch, Fence, Instant, MessageId, Seq};
use sluice_chat::turn::Sender;
use sluice_upstream::{Granted, Timeouts};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::Instant as Moment;

use super::*;
use crate::policies::Chain;
use crate::settings::Events;

/// The parts of a gateway that sessions need.
struct House {
    registry: Arc<Registry>,
    means: Arc<Means>,
    tasks: TaskTracker,
    drain: CancellationToken,
    halt: CancellationToken,
    named: std::cell::Cell<u64>,
    _folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let exchange =
            Timeouts { first_byte: Duration::from_secs(1), idle: Duration::from_secs(1) };
        let archive = Archive::open(&folder.path().join("chat.db")).unwrap();
        let metrics = Arc::new(Metrics::new());
        let events = Events { help_request: Vec::new(), alarm: Vec::new(), panel: None };
        let counted = Arc::clone(&metrics.notified);
        let notices = Notices::new(archive.clone(), events, BTreeMap::new(), counted);
        let judging = metrics.judging.clone();
        let longest = Duration::from_secs(1);
        let policies = Policies::new(Chain::default(), archive.clone(), judging, longest);
        let means = Means {
            archive,
            policies: Arc::new(policies),
            catalog: Arc::new(ArcSwap::from_pointee(Catalog::new(Vec::new(), None))),
            upstream: Upstream::new(Duration::from_secs(1), Granted::new()).unwrap(),
            patience: Patience { total: Duration::from_secs(1), exchange },
            budget: Budget { messages: 10, tokens: 1_000 },
            system_prompt: None,
            bounds: Bounds { bytes: 1_000, past_bytes: 1_000, age_ms: 1_000 },
            queue: 8,
            metrics,
            notices: Arc::new(notices),
            tasks: TaskTracker::new(),
        };
        Self {
            registry: Arc::default(),
            means: Arc::new(means),
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            halt: CancellationToken::new(),
            named: std::cell::Cell::new(0),
            _folder: folder,
        }
    }

    fn open(&self, id: &SessionId, owner: &UserId, fresh: bool) -> Option<Handle> {
        let hall = Hall {
            registry: &self.registry,
            means: &self.means,
            tasks: &self.tasks,
            drain: &self.drain,
            halt: &self.halt,
        };
        self.registry.get_or_start(id, owner, |inbox| begin(hall, inbox, fresh))
    }

    /// A name that no session has.
    fn name(&self) -> SessionId {
        self.named.set(self.named.get() + 1);
        SessionId::parse(&format!("s{}", self.named.get())).unwrap()
    }

    /// A session that nobody knows yet.
    fn begin(&self) -> Handle {
        let id = self.name();
        self.open(&id, &ada(), true).unwrap()
    }

    /// A session that is in the archive, ended or not, opened from there.
    async fn stored(&self, owner: &UserId, ended: bool) -> Handle {
        let id = self.name();
        let archive = &self.means.archive;
        let message = NewMessage {
            session: id.clone(),
            owner: owner.clone(),
            fence: Fence(0),
            epoch: Epoch(1),
            reserve_to: Seq(1_024),
            model: None,
            name: None,
            seq: Seq(1),
            id: MessageId::parse(&format!("m{id}")).unwrap(),
            sender: Sender::User,
            text: "Hello?".to_owned(),
            at: Instant(1),
            client: None,
            metadata: sluice_archive::Metadata::default(),
        };
        archive.append(message).await.unwrap();
        archive.leave_session(&id, Fence(0), Seq(1)).await.unwrap();
        if ended {
            archive.end_session(&id, Fence(0), Instant(2)).await.unwrap();
        }
        let handle = self.open(&id, owner, false).unwrap();
        handle.follow().await.unwrap();
        handle
    }

    fn sweep(&self, ttl: Duration) -> (usize, usize) {
        self.registry.sweep(Moment::now(), ttl)
    }

    /// Sweeps, and waits until those that were let go are gone. Returns how many are left.
    async fn swept(&self, ttl: Duration) -> usize {
        let held = self.registry.len();
        let (removed, kept) = self.sweep(ttl);
        assert_eq!(removed + kept, held, "each is one or the other");
        self.settled(kept).await;
        kept
    }

    /// Waits until so many are in memory, and as many tasks.
    async fn settled(&self, count: usize) {
        let gone = async {
            while self.registry.len() != count || self.tasks.len() != count {
                tokio::task::yield_now().await; // whoever leaves tells nobody
            }
        };
        // Real time: the clock of the runtime stands still.
        let patience = std::time::Instant::now() + Duration::from_secs(30);
        tokio::select! {
            () = gone => {}
            () = async { while std::time::Instant::now() < patience { tokio::task::yield_now().await } } => {
                panic!("{} in memory and {} tasks instead of {count}", self.registry.len(), self.tasks.len());
            }
        }
    }
}

/// A connection that follows a session.
struct Follower {
    followed: Followed,
    handle: Handle,
    _follows: Arc<()>,
    _private: mpsc::Receiver<Box<Private>>,
}

impl Handle {
    /// Follows it as a connection does, and lets go of it when the follower is dropped.
    async fn follow(&self) -> Result<Follower, FollowRefused> {
        let (private, received) = mpsc::channel(8);
        let follows = Arc::new(());
        let outbox = Outbox {
            private,
            moved: Arc::default(),
            cut_off: CutOff::default(),
            follows: Arc::downgrade(&follows),
        };
        let (reply, answer) = oneshot::channel();
        let connection = ConnectionId(1);
        self.tell(Command::Follow(Box::new(super::Follower {
            connection,
            outbox,
            resume: None,
            reply,
        })))
        .map_err(|_| FollowRefused::Unavailable)?;
        let followed = answer.await.map_err(|_| FollowRefused::Unavailable)??;
        Ok(Follower { followed, handle: self.clone(), _follows: follows, _private: received })
    }
}

fn ada() -> UserId {
    UserId::parse("ada").unwrap()
}

/// Tells a hundred stories in one house, each with what `strategy` makes up, and each leaving the house empty.
fn tell<S: Strategy>(strategy: &S, story: &impl AsyncFn(&House, S::Value)) {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let house = runtime.block_on(async { House::new() });
    let told =
        TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() }).run(
            strategy,
            |value| {
                runtime.block_on(async {
                    story(&house, value).await;
                    tokio::time::advance(Duration::from_secs(1)).await;
                    assert_eq!(house.swept(Duration::from_secs(1)).await, 0, "nobody stays behind");
                });
                Ok(())
            },
        );
    told.unwrap_or_else(|failed| panic!("{failed}"));
}

fn ms(range: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

/// Whoever it belongs to and however long it may stay: a session that was ended and not used since is in memory until its time
/// is over, gone with the first sweep after it, and comes back from the archive with everything in it.
#[test]
fn session_cleanup_removes_expired_sessions() {
    let users = "[a-z]{1,20}".prop_map(|name| UserId::parse(&name).unwrap());
    tell(&(users, ms(2..=1_000_000)), &async |house, (user, ttl)| {
        let handle = house.stored(&user, true).await;
        let id = handle.id().clone();
        drop(handle);
        tokio::time::advance(ttl.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(house.swept(ttl).await, 1);

        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(house.swept(ttl).await, 0);

        assert!(house.registry.get(&id, &user).is_none());
        let back = house.open(&id, &user, false).unwrap().follow().await.unwrap();
        let head = back.followed.journal.read(sluice_chat::log::Log::head);
        assert_eq!((head.epoch, head.seq), (Epoch(1), Seq(1)), "it was put away in good order");
        assert_eq!(house.means.archive.messages(&id, None, 10).await.unwrap().len(), 1);
    });
}

/// However many are over their time, one sweep takes them all.
#[test]
fn session_cleanup_removes_multiple_expired_sessions() {
    tell(&(1..=20_usize, ms(1..=1_000_000)), &async |house, (count, ttl)| {
        for _ in 0..count {
            drop(house.begin());
        }
        assert_eq!(house.registry.len(), count);

        tokio::time::advance(ttl).await;

        assert_eq!(house.swept(ttl).await, 0);
    });
}

/// A session that was never ended leaves as one that was: memory is bounded by what is used, and not by what was tidied up.
#[test]
fn session_cleanup_handles_nil_end_time() {
    tell(&ms(1..=1_000_000), &async |house, ttl| {
        let handle = house.stored(&ada(), false).await;
        let id = handle.id().clone();
        drop(handle);

        tokio::time::advance(ttl).await;

        assert_eq!(house.swept(ttl).await, 0);
        let stored = house.means.archive.session(&id).await.unwrap().unwrap();
        assert_eq!((stored.ended, stored.deleted), (None, None), "it goes on, out of memory");
        house.open(&id, &ada(), false).unwrap().follow().await.unwrap();
    });
}

/// Before its time is over no number of sweeps takes it, and being used begins the time anew.
#[test]
fn session_cleanup_respects_time_window() {
    tell(&(ms(2..=1_000_000), 1..=3_u32), &async |house, (ttl, uses)| {
        let handle = house.begin();
        let id = handle.id().clone();
        for _ in 0..uses {
            drop(handle.follow().await.unwrap());
            tokio::time::advance(ttl / 2).await;
            assert_eq!(house.swept(ttl).await, 1);
        }
        drop(handle);
        assert_eq!(house.swept(ttl).await, 1);
        assert!(house.registry.get(&id, &ada()).is_some());

        tokio::time::advance(ttl).await;
        assert_eq!(house.swept(ttl).await, 0);
    });
}

/// A session that somebody follows, or in which something runs, stays through any number of sweeps, however long it is quiet.
#[test]
fn active_sessions_never_cleaned_up() {
    let how = (any::<bool>(), ms(1..=10_000), ms(1..=1_000_000_000));
    tell(&how, &async |house, (running, ttl, quiet)| {
        let handle = house.begin();
        let follower = handle.follow().await.unwrap();
        let id = handle.id().clone();
        let activity = Arc::clone(&handle.activity);
        drop(handle);
        let mut follower = Some(follower);
        if running {
            // The connection is gone, the answer goes on.
            activity.set_running(true);
            follower = None;
        }
        for _ in 0..3 {
            tokio::time::advance(quiet).await;
            assert_eq!(house.sweep(ttl), (0, 1));
        }
        let there = house.registry.get(&id, &ada()).expect("in memory");
        assert!(there.follow().await.is_ok(), "and it works");
        activity.set_running(false);
        drop(follower);
    });
}

/// However many are followed, all of them stay.
#[test]
fn multiple_active_sessions_preserved_during_cleanup() {
    tell(&(1..=20_usize, ms(1..=1_000_000)), &async |house, (count, ttl)| {
        let mut followers = Vec::new();
        for _ in 0..count {
            followers.push(house.begin().follow().await.unwrap());
        }
        for _ in 0..3 {
            tokio::time::advance(ttl * 2).await;
            assert_eq!(house.swept(ttl).await, count);
        }
        for follower in &followers {
            assert!(house.registry.get(follower.handle.id(), &ada()).is_some());
        }
    });
}

/// Of some that are followed and some that are not, exactly the latter leave. What a sweep removed and what it kept is all
/// there was.
#[test]
fn cleanup_selectively_removes_inactive_sessions() {
    tell(&(1..=10_usize, 1..=10_usize, ms(1..=1_000_000)), &async |house, (active, idle, ttl)| {
        let (mut followers, mut left) = (Vec::new(), Vec::new());
        for number in 0..active + idle {
            let handle = house.begin();
            // Mixed, so that it is not the order that tells them apart.
            if number % 2 == 0 && followers.len() < active || left.len() == idle {
                followers.push(handle.follow().await.unwrap());
            } else {
                left.push(handle.id().clone());
            }
        }
        tokio::time::advance(ttl).await;

        assert_eq!(house.sweep(ttl), (idle, active));

        house.settled(active).await;
        for follower in &followers {
            assert!(house.registry.get(follower.handle.id(), &ada()).is_some());
        }
        for id in &left {
            assert!(house.registry.get(id, &ada()).is_none());
        }
    });
}

/// A connection that comes while a session is leaving finds one that works, whichever of the two is faster.
#[test]
fn whoever_comes_while_a_session_leaves_is_served() {
    tell(&(any::<bool>(), 0..4_usize), &async |house, (stored, turns)| {
        let handle = if stored { house.stored(&ada(), false).await } else { house.begin() };
        let id = handle.id().clone();
        drop(handle);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(house.sweep(Duration::from_secs(1)), (1, 0));
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }

        let mut follower = Err(FollowRefused::Unavailable);
        // As connections do: one that is just leaving does not answer, the one that comes after it does.
        for _ in 0..2 {
            if follower.is_err() {
                follower = house.open(&id, &ada(), !stored).unwrap().follow().await;
            }
        }

        let follower = follower.expect("served");
        house.settled(1).await;
        assert!(
            house
                .registry
                .get(&id, &ada())
                .is_some_and(|held| { held.speaks_to(&follower.handle.activity) })
        );
    });
}

/// A hundred thousand sessions of as many users pass by, and memory returns to rest.
#[test]
fn a_hundred_thousand_sessions_pass_by_and_none_stays() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let house = House::new();
        let ttl = Duration::from_mins(15);
        for wave in 0..10 {
            for number in 0..10_000 {
                let name = format!("{wave}-{number}");
                let (id, user) = (SessionId::parse(&name), UserId::parse(&name));
                drop(house.open(&id.unwrap(), &user.unwrap(), true).unwrap());
            }
            assert_eq!(house.registry.len(), 10_000);
            tokio::time::advance(ttl).await;
            assert_eq!(house.swept(ttl).await, 0);
        }
        assert_eq!(house.swept(ttl).await, 0);
        assert!(house.registry.room() < 2_000, "{} places are kept", house.registry.room());
    });
}
