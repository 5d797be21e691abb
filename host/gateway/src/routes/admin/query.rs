//! What stands behind the question mark of an operator's request. A parameter that is not known is refused: a filter with a
//! slip of the pen must not show everything.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sluice_chat::id::{Instant, UserId};
use sluice_wire::server::parse_timestamp;
use url::form_urlencoded;

use super::Refusal;

/// Parameters that are still to be taken.
#[derive(Debug)]
pub(super) struct Query<'a>(BTreeMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> Query<'a> {
    /// Reads them; an empty one counts as not given.
    pub(super) fn read(text: Option<&'a str>) -> Result<Self, Refusal> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            if parameters.insert(name, value).is_some() {
                return Err(Refusal::BadRequest("a parameter is given twice"));
            }
        }
        // Why the operator asks is the record's, whatever is asked.
        parameters.remove("reason");
        parameters.retain(|_, value| !value.is_empty());
        Ok(Self(parameters))
    }

    /// Takes one, read by `read`; `expected` is told when that fails.
    pub(super) fn take<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        read(&value).map(Some).ok_or(Refusal::BadRequest(expected))
    }

    /// Takes a moment.
    pub(super) fn moment(
        &mut self,
        name: &str,
        expected: &'static str,
    ) -> Result<Option<Instant>, Refusal> {
        self.take(name, expected, parse_timestamp)
    }

    /// Takes a user's id.
    pub(super) fn user(&mut self, name: &str) -> Result<Option<UserId>, Refusal> {
        self.take(name, "a user's id has 1 to 255 bytes", UserId::parse)
    }

    /// Takes the size of a page: 100 where none is given, or none that can be.
    pub(super) fn limit(&mut self) -> usize {
        const USUAL: usize = 100;
        const MOST: usize = 1_000;
        let limit = self.0.remove("limit").and_then(|value| value.parse().ok());
        limit.filter(|limit| (1..=MOST).contains(limit)).unwrap_or(USUAL)
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Refusal::BadRequest("there is no such parameter"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Query<'_>, Refusal> {
        Query::read(Some(text))
    }

    #[test]
    fn what_is_not_taken_is_refused() {
        let mut asked = query("limit=7&empty=&usr_id=ada").unwrap();
        assert_eq!(asked.limit(), 7);
        assert_eq!(asked.user("user_id"), Ok(None));
        assert_eq!(asked.finish(), Err(Refusal::BadRequest("there is no such parameter")));
        assert_eq!(query("empty=").unwrap().finish(), Ok(()));
        assert!(query("a=1&a=2").is_err());
    }

    #[test]
    fn a_moment_is_one_in_whatever_zone() {
        let mut asked = query("from=1970-01-01T01:00:01%2B01:00&to=yesterday").unwrap();
        assert_eq!(asked.moment("from", "from"), Ok(Some(Instant(1_000))));
        assert_eq!(asked.moment("to", "to"), Err(Refusal::BadRequest("to")));
    }

    #[test]
    fn a_page_has_a_hundred_unless_another_size_can_be_had() {
        for (text, limit) in
            [("", 100), ("limit=0", 100), ("limit=1001", 100), ("limit=1000", 1_000)]
        {
            assert_eq!(query(text).unwrap().limit(), limit, "{text}");
        }
    }
}
