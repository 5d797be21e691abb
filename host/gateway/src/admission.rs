//! Who is in: sessions in memory and connections that are open. Maps whose entries make look-and-act one step.
//!
//! Nothing here waits: no entry is held over an `.await`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use sluice_chat::id::{SessionId, UserId};
use sluice_chat::turn::ConnectionId;
use sluice_wire::close::CloseCode;

use crate::address::Block;
use crate::session::{Activity, CutOff, Handle, Inbox};

/// Places for sessions that are kept although nobody needs them.
const SPARE: usize = 256;

/// Sessions in memory, each with one task.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    sessions: DashMap<SessionId, Handle>,
}

impl Registry {
    /// The session's handle; `start` is called with the task's end of it if there was none.
    ///
    /// A session of that id which belongs to somebody else is none of the caller's.
    pub(crate) fn get_or_start(
        &self,
        id: &SessionId,
        owner: &UserId,
        start: impl FnOnce(Inbox),
    ) -> Option<Handle> {
        match self.sessions.entry(id.clone()) {
            Entry::Occupied(entry) if !entry.get().is_over() => {
                Some(entry.get().clone()).filter(|handle| handle.owner() == owner)
            }
            Entry::Occupied(mut entry) => {
                let (handle, inbox) = Handle::new(id.clone(), owner.clone(), Some(entry.get()));
                entry.insert(handle.clone());
                start(inbox);
                Some(handle)
            }
            Entry::Vacant(entry) => {
                let (handle, inbox) = Handle::new(id.clone(), owner.clone(), None);
                entry.insert(handle.clone());
                start(inbox);
                Some(handle)
            }
        }
    }

    /// The session's handle, if it is in memory.
    pub(crate) fn get(&self, id: &SessionId, owner: &UserId) -> Option<Handle> {
        let handle = self.sessions.get(id)?.clone();
        (handle.owner() == owner && !handle.is_over()).then_some(handle)
    }

    /// How many are in memory.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Takes out the session whose task is over, and not one that came after it.
    pub(crate) fn remove(&self, id: &SessionId, activity: &Arc<Activity>) {
        self.sessions.remove_if(id, |_, held| held.speaks_to(activity));
    }

    /// Lets sessions leave that nobody needed for all of `ttl`; their tasks put themselves away and are then taken out. Returns
    /// how many go and how many stay.
    pub(crate) fn sweep(&self, now: tokio::time::Instant, ttl: Duration) -> (usize, usize) {
        let held = self.sessions.len();
        // What left since the sweep before: a day with many must not be paid for ever after.
        if self.sessions.capacity() / 4 > held + SPARE {
            self.sessions.shrink_to_fit();
        }
        let (mut removed, mut kept) = (0, 0);
        // One that was asked before and is still putting itself away is neither.
        for entry in self.sessions.iter().filter(|entry| !entry.value().is_over()) {
            if entry.value().in_use(now).may_leave(ttl) {
                entry.value().retire();
                removed += 1;
            } else {
                kept += 1;
            }
        }
        (removed, kept)
    }

    /// How many it could hold without asking for more memory.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.sessions.capacity()
    }
}

/// Counts connections, in total, per user and per address.
#[derive(Debug)]
pub(crate) struct Turnstile {
    per_user: DashMap<UserId, BTreeMap<ConnectionId, CutOff>>,
    per_address: DashMap<Block, usize>,
    total: AtomicUsize,
    next: AtomicU64,
    most: usize,
}

/// Why nobody more is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TurnedAway {
    /// The gateway is full.
    #[error("the gateway has as many connections as it may")]
    Full,
    /// This user has enough.
    #[error("the user has as many connections as allowed")]
    UserFull,
    /// This address has enough.
    #[error("the address has as many connections as allowed")]
    AddressFull,
}

/// One connection's place, given back by being dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    turnstile: Arc<Turnstile>,
    user: UserId,
    address: Option<Block>,
    connection: ConnectionId,
    cut_off: CutOff,
}

impl Turnstile {
    /// Lets in so many connections.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            per_user: DashMap::new(),
            per_address: DashMap::new(),
            total: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            most,
        }
    }

    /// How many are in.
    pub(crate) fn connections(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// How many users have one in.
    pub(crate) fn users(&self) -> usize {
        self.per_user.len()
    }

    /// Lets one more in, if the user, and the address where one counts, have fewer than they may.
    pub(crate) fn enter(
        self: &Arc<Self>,
        (user, most_of_user): (&UserId, usize),
        address: Option<(Block, usize)>,
    ) -> Result<Permit, TurnedAway> {
        let full = |total: usize| (total < self.most).then_some(total + 1);
        self.total
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, full)
            .map_err(|_| TurnedAway::Full)?;
        // Dropped on the way out, it gives back what was taken until then.
        let mut permit = Permit {
            turnstile: Arc::clone(self),
            user: user.clone(),
            address: None,
            connection: ConnectionId(self.next.fetch_add(1, Ordering::Relaxed)),
            cut_off: CutOff::default(),
        };
        let admitted = {
            let mut held = self.per_user.entry(user.clone()).or_default();
            let admitted = held.len() < most_of_user;
            if admitted {
                held.insert(permit.connection, permit.cut_off());
            }
            admitted
        };
        if !admitted {
            return Err(TurnedAway::UserFull);
        }
        if let Some((address, most)) = address {
            let mut held = self.per_address.entry(address).or_insert(0);
            let admitted = *held < most;
            *held += usize::from(admitted);
            drop(held);
            permit.address = admitted.then_some(address);
            permit.address.ok_or(TurnedAway::AddressFull)?;
        }
        Ok(permit)
    }

    /// Closes every connection of a user. Returns how many those are.
    pub(crate) fn cut_off(&self, user: &UserId, code: CloseCode) -> usize {
        let Some(held) = self.per_user.get(user) else { return 0 };
        held.values().for_each(|connection| connection.because(code));
        held.len()
    }
}

impl Permit {
    /// The connection's number, never used twice in this process.
    pub(crate) fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// What ends the connection from outside of it.
    pub(crate) fn cut_off(&self) -> CutOff {
        self.cut_off.clone()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Turnstile { per_user, per_address, total, .. } = self.turnstile.as_ref();
        total.fetch_sub(1, Ordering::AcqRel);
        if let Entry::Occupied(mut entry) = per_user.entry(self.user.clone()) {
            entry.get_mut().remove(&self.connection);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
        let Some(address) = self.address else { return };
        if let Entry::Occupied(mut entry) = per_address.entry(address) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn session(name: &str) -> SessionId {
        SessionId::parse(name).unwrap()
    }

    #[test]
    fn a_place_is_given_back_and_only_then_taken_again() {
        let turnstile = Arc::new(Turnstile::new(2));

        let first = turnstile.enter((&user("a"), 1), None).unwrap();
        assert_eq!(turnstile.enter((&user("a"), 1), None).unwrap_err(), TurnedAway::UserFull);
        let _second = turnstile.enter((&user("b"), 1), None).unwrap();
        assert_eq!(turnstile.enter((&user("c"), 1), None).unwrap_err(), TurnedAway::Full);
        drop(first);
        assert!(turnstile.enter((&user("a"), 1), None).is_ok());
        assert_eq!(turnstile.per_user.len(), 1, "users without connections are forgotten");
    }

    #[test]
    fn an_address_has_its_share_and_what_it_was_refused_takes_no_room() {
        let turnstile = Arc::new(Turnstile::new(9));
        let here = |text: &str| Some((Block::of(text.parse().unwrap()), 2));
        let enter = |who: &str, from| turnstile.enter((&user(who), 1), from);

        let first = enter("a", here("192.0.2.1")).unwrap();
        let second = enter("b", here("192.0.2.1")).unwrap();
        assert_eq!(enter("c", here("192.0.2.1")).unwrap_err(), TurnedAway::AddressFull);
        assert_eq!((turnstile.connections(), turnstile.users()), (2, 2));
        let elsewhere = enter("c", here("192.0.2.2")).unwrap();
        let uncounted = enter("d", None).unwrap();
        drop(first);
        let again = enter("a", here("192.0.2.1")).unwrap();

        drop((second, elsewhere, uncounted, again));
        assert_eq!((turnstile.connections(), turnstile.users()), (0, 0));
        assert!(turnstile.per_address.is_empty());
    }

    #[test]
    fn a_session_is_started_once_and_belongs_to_one_user() {
        let registry = Registry::default();
        let mut inboxes = Vec::new();

        let first = registry.get_or_start(&session("s"), &user("a"), |inbox| inboxes.push(inbox));
        let again = registry.get_or_start(&session("s"), &user("a"), |inbox| inboxes.push(inbox));
        let foreign = registry.get_or_start(&session("s"), &user("b"), |inbox| inboxes.push(inbox));

        assert!(first.unwrap().speaks_to(&inboxes[0].activity()));
        assert!(again.unwrap().speaks_to(&inboxes[0].activity()));
        assert!(foreign.is_none());
        assert_eq!(inboxes.len(), 1);
    }

    #[test]
    fn a_task_that_is_over_does_not_take_out_the_one_that_came_after() {
        let registry = Registry::default();
        let mut inboxes = Vec::new();
        registry.get_or_start(&session("s"), &user("a"), |inbox| inboxes.push(inbox));
        let old = inboxes.remove(0).activity();
        registry.get_or_start(&session("s"), &user("a"), |inbox| inboxes.push(inbox));

        registry.remove(&session("s"), &old);

        assert!(registry.get(&session("s"), &user("a")).is_some());
        registry.remove(&session("s"), &inboxes[0].activity());
        assert!(registry.get(&session("s"), &user("a")).is_none());
    }

    /// Two users and many connections race for one session: it is begun once, belongs to whoever came first, and everybody of
    /// that user gets the one task.
    #[test]
    fn connections_that_race_for_a_session_get_one_task_and_one_owner() {
        for round in 0..200 {
            let (registry, id) = (Registry::default(), session(&format!("s{round}")));
            let start = Barrier::new(8);
            let come = |number: usize| {
                let owner = user(if number.is_multiple_of(2) { "a" } else { "b" });
                start.wait();
                let mut inbox = None;
                let handle = registry.get_or_start(&id, &owner, |begun| inbox = Some(begun));
                (owner, handle, inbox)
            };
            let come = &come;
            let came: Vec<_> = thread::scope(|scope| {
                let racing: Vec<_> =
                    (0..8).map(|number| scope.spawn(move || come(number))).collect();
                racing.into_iter().map(|one| one.join().unwrap()).collect()
            });

            let begun: Vec<_> = came.iter().filter_map(|(_, _, inbox)| inbox.as_ref()).collect();
            assert_eq!(begun.len(), 1, "it was begun once");
            let activity = begun[0].activity();
            for (owner, handle, _) in &came {
                let mine = handle.as_ref().is_some_and(|handle| handle.owner() == owner);
                assert_eq!(mine, handle.is_some(), "nobody gets what is another user's");
                assert!(handle.as_ref().is_none_or(|handle| handle.speaks_to(&activity)));
            }
            assert_eq!(came.iter().filter(|(_, handle, _)| handle.is_some()).count(), 4);
        }
    }

    /// A task that is over takes itself out while somebody begins the one after it: the newer one stays, whichever comes first.
    #[test]
    fn an_old_task_that_leaves_late_takes_nothing_from_the_new_one() {
        for round in 0..200 {
            let (registry, id) = (Registry::default(), session(&format!("s{round}")));
            let mut first = None;
            registry.get_or_start(&id, &user("a"), |inbox| first = Some(inbox));
            let old = first.take().unwrap().activity();
            let start = Barrier::new(2);

            let second = thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    registry.remove(&id, &old);
                });
                start.wait();
                let mut second = None;
                registry.get_or_start(&id, &user("a"), |inbox| second = Some(inbox));
                second
            });

            let second = second.expect("a new task");
            let held = registry.get(&id, &user("a")).expect("the new one");
            assert!(held.speaks_to(&second.activity()));
            registry.remove(&id, &old);
            assert_eq!(registry.len(), 1);
        }
    }

    #[test]
    fn whoever_races_for_places_no_bound_is_exceeded_and_nothing_stays() {
        let turnstile = Arc::new(Turnstile::new(6));
        let address = Some((Block::of("192.0.2.1".parse().unwrap()), 4));
        let (most, most_of_one) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for n in 0..8 {
                let (turnstile, most, most_of_one) = (&turnstile, &most, &most_of_one);
                scope.spawn(move || {
                    let who = user(["a", "b", "c"][n % 3]);
                    for round in 0..500 {
                        let from = address.filter(|_| round % 2 == 0);
                        let Ok(permit) = turnstile.enter((&who, 3), from) else { continue };
                        most.fetch_max(turnstile.connections(), Ordering::AcqRel);
                        let held = turnstile.per_user.get(&who).map_or(0, |held| held.len());
                        most_of_one.fetch_max(held, Ordering::AcqRel);
                        drop(permit);
                    }
                });
            }
        });

        assert!((1..=6).contains(&most.into_inner()));
        assert!((1..=3).contains(&most_of_one.into_inner()));
        assert_eq!((turnstile.connections(), turnstile.users()), (0, 0));
        assert!(turnstile.per_address.is_empty());
    }
}
