//! Conditions that a policy's settings name: who, from where, and when. What is not said holds for all.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{
    Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, de};

use crate::Subject;

/// Whom a rule is about, as settings write it: `who = { roles = ["staff"], networks = ["10.0.0.0/8"] }`. All that is named has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Who {
    /// One of these user ids.
    pub users: Vec<String>,
    /// Any of these roles.
    pub roles: Vec<String>,
    /// Remote address in one of these networks. An address that is not known is in none.
    pub networks: Vec<Network>,
}

impl Who {
    /// Whether the subject is meant.
    pub fn fits(&self, subject: &Subject) -> bool {
        let user = self.users.is_empty() || self.users.contains(&subject.principal.id);
        let role = self.roles.is_empty() || self.roles.iter().any(|role| subject.has_role(role));
        let network = self.networks.is_empty()
            || subject.address.parse().is_ok_and(|address: IpAddr| {
                let address = address.to_canonical();
                self.networks.iter().any(|Network(network)| network.contains(&address))
            });
        user && role && network
    }
}

/// A network, or one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network(IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let one = text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
        let network = one.or_else(|_| text.parse::<IpNet>());
        network.map(Self).map_err(|_| de::Error::custom(format!("{text:?} is no network")))
    }
}

/// When a rule holds, as settings write it: `when = { days = ["mon", "fri"], from = "08:00", to = "18:00", zone = "…" }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Written")]
pub struct When {
    days: Vec<Weekday>,
    hours: Option<(Time, Time)>,
    zone: Option<TimeZone>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Days of the week on which the hours begin.
    #[serde(default)]
    days: Vec<Day>,
    /// Beginning, and the first minute after; a night may lie between.
    from: Option<Time>,
    to: Option<Time>,
    /// As POSIX writes zones, with the rule for summer: `CET-1CEST,M3.5.0,M10.5.0/3`. UTC without.
    zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl TryFrom<Written> for When {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let hours = match (written.from, written.to) {
            (None, None) => None,
            (Some(from), Some(to)) if from != to => Some((from, to)),
            (Some(_), Some(_)) => return Err("from and to are the same".to_owned()),
            (Some(_), None) | (None, Some(_)) => {
                return Err("from needs to, and to needs from".to_owned());
            }
        };
        let zone = written.zone.map(|zone| {
            TimeZone::posix(&zone).map_err(|error| format!("{zone:?} is no time zone: {error}"))
        });
        let days = written.days.into_iter().map(|day| match day {
            Day::Mon => Weekday::Monday,
            Day::Tue => Weekday::Tuesday,
            Day::Wed => Weekday::Wednesday,
            Day::Thu => Weekday::Thursday,
            Day::Fri => Weekday::Friday,
            Day::Sat => Weekday::Saturday,
            Day::Sun => Weekday::Sunday,
        });
        Ok(Self { days: days.collect(), hours, zone: zone.transpose()? })
    }
}

impl When {
    /// Whether it holds at that moment, in milliseconds since the Unix epoch. Hours over midnight belong to the day they begin on.
    pub fn fits(&self, now_ms: u64) -> bool {
        // Beyond the year 9999 there are no hours.
        let now = i64::try_from(now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let Some(now) = now else { return self.days.is_empty() && self.hours.is_none() };
        let here = now.to_zoned(self.zone.clone().unwrap_or(TimeZone::UTC));
        let (time, today) = (here.time(), here.weekday());
        let (holds, began) = match self.hours {
            None => (true, today),
            Some((from, to)) if from < to => (from <= time && time < to, today),
            Some((from, _)) if from <= time => (true, today),
            Some((_, to)) => (time < to, today.previous()),
        };
        holds && (self.days.is_empty() || self.days.contains(&began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(written: &str) -> When {
        serde_json::from_str(written).unwrap()
    }

    fn at(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    fn who(written: &str) -> Who {
        serde_json::from_str(written).unwrap()
    }

    #[test]
    fn what_is_not_said_holds_for_all() {
        assert!(Who::default().fits(&Subject::of("u")));
        assert!(When::default().fits(0));
        assert!(When::default().fits(u64::MAX));
    }

    #[test]
    fn all_that_is_named_has_to_hold() {
        let mut subject = Subject::of("u");
        subject.principal.roles = vec!["staff".to_owned()];
        subject.address = "::ffff:10.1.2.3".to_owned();

        assert!(
            who(r#"{"roles": ["boss", "staff"], "networks": ["fd00::/8", "10.0.0.0/8"]}"#)
                .fits(&subject)
        );
        assert!(who(r#"{"networks": ["10.1.2.3"]}"#).fits(&subject));
        assert!(!who(r#"{"roles": ["staff"], "users": ["v"]}"#).fits(&subject));
        assert!(!who(r#"{"networks": ["192.168.0.0/16"]}"#).fits(&subject));
        subject.address.clear();
        assert!(!who(r#"{"networks": ["0.0.0.0/0"]}"#).fits(&subject));
    }

    #[test]
    fn hours_follow_the_zone_and_its_summer() {
        let office = when(
            r#"{"days": ["mon","tue","wed","thu","fri"], "from": "08:00", "to": "18:00", "zone": "CET-1CEST,M3.5.0,M10.5.0/3"}"#,
        );
        assert!(office.fits(at("2026-11-25T07:00:00Z")));
        assert!(!office.fits(at("2026-11-25T06:59:59Z")));
        assert!(!office.fits(at("2026-11-25T17:00:00Z")));
        assert!(office.fits(at("2026-07-15T06:00:00Z")));
        assert!(!office.fits(at("2026-11-28T12:00:00Z")));
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let friday = when(r#"{"days": ["fri"], "from": "22:00", "to": "06:00"}"#);
        assert!(friday.fits(at("2026-11-27T23:00:00Z")));
        assert!(friday.fits(at("2026-11-28T05:59:00Z")));
        assert!(!friday.fits(at("2026-11-27T05:00:00Z")));
        assert!(!friday.fits(at("2026-11-28T06:00:00Z")));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (written, why) in [
            (r#"{"from": "08:00"}"#, "needs"),
            (r#"{"from": "08:00", "to": "08:00"}"#, "same"),
            (r#"{"zone": "Europe/Nowhere"}"#, "time zone"),
            (r#"{"day": ["mon"]}"#, "day"),
        ] {
            let error = serde_json::from_str::<When>(written).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(serde_json::from_str::<Who>(r#"{"networks": ["10.0.0.0/64"]}"#).is_err());
    }
}
