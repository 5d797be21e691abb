//! Users whose tokens count no more: everything issued to them up to a moment is refused. They outlive the process in the record
//! of operators; see docs/decisions/0010.

use dashmap::DashMap;
use sluice_archive::{Archive, AuditFilter, MAX_PAGE, StoreError};
use sluice_chat::id::{Instant, UserId};

/// What the record of operators calls a revocation.
const ACTION: &str = "POST /admin/users/{id}/revoke";

/// For each revoked user the moment of the last revocation. One entry a user, kept for good: nothing bounds how long a token may
/// live, so forgetting one could let an old token in again.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    until: DashMap<UserId, Instant>,
}

impl Revocations {
    /// Those that the record of operators tells of. Reads all of it, page by page, before anybody is let in.
    pub(crate) async fn recall(archive: &Archive) -> Result<Self, StoreError> {
        let revocations = Self::default();
        let mut after = None;
        loop {
            let page = archive.audit(AuditFilter::default(), MAX_PAGE, after).await?;
            for entry in page.entries.into_iter().filter(|entry| entry.action == ACTION) {
                // What was refused to the operator, by a policy for one, was never done.
                let refused = entry.status.is_some_and(|status| (400..500).contains(&status));
                let Some(user) = entry.user.filter(|_| !refused) else { continue };
                // The line was written a moment before the user was revoked; whatever else came of it, refusing is the safe side.
                revocations.revoke(user, Instant(entry.at.0.saturating_add(1_000)));
            }
            after = page.next;
            if after.is_none() {
                return Ok(revocations);
            }
        }
    }

    /// Refuses what was issued to the user up to now. Going back in time changes nothing.
    pub(crate) fn revoke(&self, user: UserId, now: Instant) {
        let mut until = self.until.entry(user).or_insert(now);
        *until = (*until).max(now);
    }

    /// Whether a token that was issued then is refused. `iat` has whole seconds: a token of the very second of the revocation is,
    /// and so is one that does not say when it was issued.
    pub(crate) fn cover(&self, user: &UserId, issued: Option<Instant>) -> bool {
        let Some(until) = self.until.get(user) else { return false };
        issued.is_none_or(|issued| issued.0 / 1_000 <= until.0 / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    #[test]
    fn what_was_issued_up_to_the_second_of_the_revocation_is_refused() {
        let revocations = Revocations::default();
        let issued = |seconds: u64| Some(Instant(seconds * 1_000));
        assert!(!revocations.cover(&user("a"), None));

        revocations.revoke(user("a"), Instant(7_500));
        revocations.revoke(user("a"), Instant(3_000));

        for (issued, refused) in
            [(issued(6), true), (issued(7), true), (issued(8), false), (None, true)]
        {
            assert_eq!(revocations.cover(&user("a"), issued), refused, "{issued:?}");
        }
        assert!(!revocations.cover(&user("b"), None), "nobody else is concerned");
    }
}
