//! `/admin/metrics`: figures over the sessions that began in a time. What the process counts about itself is at `/metrics`.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use sluice_archive::Totals;
use sluice_chat::id::Instant;

use super::super::sessions::{precise, unreadable};
use super::query::Query;
use super::{Operator, Refusal, Shared};
use crate::clock;
use crate::metrics::Operation;

/// A day, in milliseconds: what is looked at unless something else is asked for.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// The longest time that is looked at, since all that began in it is read.
const LONGEST_MS: u64 = 366 * DAY_MS;

/// The route.
pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/admin/metrics", get(show))
}

/// The figures. Times are milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Figures {
    total_sessions: u64,
    active_sessions: u64,
    total_tokens: u64,
    avg_response_time: u64,
    max_response_time: u64,
    admin_assisted_count: u64,
    avg_concurrent: f64,
    max_concurrent: u64,
}

/// The same under the names that clients of the predecessor know.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Known {
    total_sessions: u64,
    active_sessions: u64,
    total_tokens: u64,
    avg_response_time: u64,
    max_response_time: u64,
    admin_assisted_count: u64,
    avg_concurrent: f64,
    max_concurrent: u64,
}

#[derive(Debug, Serialize)]
struct TimeRange {
    start: String,
    end: String,
}

#[derive(Debug, Serialize)]
struct MetricsBody {
    #[serde(flatten)]
    figures: Figures,
    metrics: Known,
    time_range: TimeRange,
}

impl From<Totals> for Figures {
    fn from(totals: Totals) -> Self {
        let Totals {
            sessions,
            active,
            assisted,
            tokens,
            average_ms,
            slowest_ms,
            concurrent_thousandths,
            most_concurrent,
        } = totals;
        let thousandths = u32::try_from(concurrent_thousandths).unwrap_or(u32::MAX);
        Self {
            total_sessions: sessions,
            active_sessions: active,
            total_tokens: tokens,
            avg_response_time: average_ms,
            max_response_time: slowest_ms,
            admin_assisted_count: assisted,
            avg_concurrent: f64::from(thousandths) / 1_000.0,
            max_concurrent: most_concurrent,
        }
    }
}

impl From<Figures> for Known {
    fn from(figures: Figures) -> Self {
        let Figures {
            total_sessions,
            active_sessions,
            total_tokens,
            avg_response_time,
            max_response_time,
            admin_assisted_count,
            avg_concurrent,
            max_concurrent,
        } = figures;
        Self {
            total_sessions,
            active_sessions,
            total_tokens,
            avg_response_time,
            max_response_time,
            admin_assisted_count,
            avg_concurrent,
            max_concurrent,
        }
    }
}

async fn show(
    State(gateway): State<Shared>,
    _: Operator,
    RawQuery(query): RawQuery,
) -> Result<Json<MetricsBody>, Refusal> {
    let mut query = Query::read(query.as_deref())?;
    let to = query.moment("end_time", "end_time: a time of RFC 3339")?.unwrap_or_else(clock::now);
    let from = query.moment("start_time", "start_time: a time of RFC 3339")?;
    let from = from.unwrap_or(Instant(to.0.saturating_sub(DAY_MS)));
    query.finish()?;
    if to < from {
        return Err(Refusal::BadRequest("end_time: before start_time"));
    }
    if to.0 - from.0 > LONGEST_MS {
        return Err(Refusal::BadRequest("start_time: more than 366 days before end_time"));
    }
    let totals = gateway.means.archive.totals(from, to);
    let timed = gateway.means.metrics.archive.timed(Operation::GetSessionMetrics, totals);
    let figures = Figures::from(timed.await.map_err(|error| unreadable(&error))?);
    Ok(Json(MetricsBody {
        figures,
        metrics: figures.into(),
        time_range: TimeRange { start: precise(from), end: precise(to) },
    }))
}
