//! How fast the service is reached: name, TCP, proxy and TLS, and the first byte of an answer that anybody gets.
//!
//! Promises: only hosts of the compiled table are asked, without any credential, so that nothing is spent; every host is told
//! by itself, with what went wrong. Leaves out: how fast a model answers, which only a paid question shows.

use crate::upstream::endpoint::data_planes;
use crate::upstream::http::{Http, Measured, Refused, Route, Unmeasured};
use crate::upstream::region_of;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// How often each host is asked.
pub(crate) const ROUNDS: u32 = 3;

/// One host of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostSpeed {
    /// The host.
    pub(crate) host: String,
    /// Its region.
    pub(crate) region: String,
    /// How many of the rounds it answered.
    pub(crate) answered: u32,
    /// Milliseconds until a connection stood: name, TCP, proxy and TLS. The median; nothing when it never answered.
    pub(crate) connect_ms: Option<u64>,
    /// Milliseconds from then until the first byte of the answer. The median.
    pub(crate) first_byte_ms: Option<u64>,
    /// Milliseconds of both. The median.
    pub(crate) total_ms: Option<u64>,
    /// HTTP status of the last answer. Any status is a sign of the service.
    pub(crate) status: Option<u16>,
    /// What went wrong in the last round that was not answered, in plain English.
    pub(crate) problem: Option<String>,
    /// The same as a code that faces translate.
    pub(crate) problem_code: Option<SpeedProblem>,
}

/// Why a host could not be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SpeedProblem {
    /// Nothing was sent: the host is none of the service's, or the stand-in does not run.
    NotAsked,
    /// Nothing was sent: the TLS client cannot be built.
    NoTls,
    /// Nothing was sent: the proxy cannot be used as it is written down, or its login cannot be read.
    ProxyUnusable,
    /// The proxy asks for another user name and password.
    ProxyLogin,
    /// No answer in time.
    Late,
    /// There is no connection, or it broke.
    Unreachable,
}

impl From<&Unmeasured> for SpeedProblem {
    fn from(why: &Unmeasured) -> Self {
        match why {
            Unmeasured::Refused(Refused::UnknownHost(_) | Refused::NoDemo) => Self::NotAsked,
            Unmeasured::Refused(Refused::NoTls(_)) => Self::NoTls,
            Unmeasured::Refused(Refused::NoProxy(_)) => Self::ProxyUnusable,
            Unmeasured::ProxyLogin => Self::ProxyLogin,
            Unmeasured::Late => Self::Late,
            Unmeasured::Unreachable(_) => Self::Unreachable,
        }
    }
}

/// Asks every host on this way, some rounds one after the other and all hosts of a round at once.
pub(crate) async fn measure(http: &Http, route: &Route) -> Vec<HostSpeed> {
    let hosts = data_planes();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(join_all(hosts.iter().map(|host| http.measure(route, host))).await);
    }
    let of = |at: usize| rounds.iter().filter_map(|round| round.get(at)).cloned().collect::<Vec<_>>();
    let mut speeds: Vec<HostSpeed> = hosts.iter().enumerate().map(|(at, host)| told(host, &of(at))).collect();
    // The fastest first; those that never answered last.
    speeds.sort_by_key(|speed| (speed.total_ms.is_none(), speed.total_ms));
    speeds
}

fn told(host: &str, rounds: &[Result<Measured, Unmeasured>]) -> HostSpeed {
    let good: Vec<&Measured> = rounds.iter().filter_map(|round| round.as_ref().ok()).collect();
    let why = rounds.iter().rev().find_map(|round| round.as_ref().err());
    let times = |time: fn(&Measured) -> Duration| median(good.iter().map(|measured| time(measured)).collect());
    HostSpeed {
        host: host.to_owned(),
        region: region_of(host).unwrap_or_default().to_owned(),
        answered: u32::try_from(good.len()).unwrap_or(u32::MAX),
        connect_ms: times(|measured| measured.connect),
        first_byte_ms: times(|measured| measured.first_byte),
        total_ms: times(|measured| measured.connect + measured.first_byte),
        status: good.last().map(|measured| measured.status.as_u16()),
        problem: why.map(ToString::to_string),
        problem_code: why.map(SpeedProblem::from),
    }
}

/// The middle one; of an even number the mean of the two in the middle.
fn median(mut times: Vec<Duration>) -> Option<u64> {
    times.sort_unstable();
    let upper = times.get(times.len() / 2)?;
    let lower = times.get((times.len() - 1) / 2)?;
    u64::try_from(((*upper + *lower) / 2).as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn ms(connect: u64, first_byte: u64) -> Result<Measured, Unmeasured> {
        let (connect, first_byte) = (Duration::from_millis(connect), Duration::from_millis(first_byte));
        Ok(Measured { connect, first_byte, status: StatusCode::NOT_FOUND })
    }

    #[test]
    fn the_median_of_what_was_answered_is_told_and_what_was_not_is_no_zero() {
        let speed = told("h", &[ms(10, 100), ms(900, 20), ms(30, 30)]);
        assert_eq!((speed.connect_ms, speed.first_byte_ms, speed.total_ms), (Some(30), Some(30), Some(110)));
        assert_eq!((speed.answered, speed.status, speed.problem), (3, Some(404), None));
        let speed = told("h", &[ms(10, 100), Err(Unmeasured::Late), ms(30, 200)]);
        assert_eq!((speed.answered, speed.connect_ms, speed.first_byte_ms), (2, Some(20), Some(150)));
        assert_eq!(speed.problem.as_deref(), Some("no answer in time"));
        assert_eq!(speed.problem_code, Some(SpeedProblem::Late));
        let speed = told("h", &[Err(Unmeasured::Late), Err(Unmeasured::ProxyLogin)]);
        assert_eq!((speed.answered, speed.total_ms, speed.status), (0, None, None));
        assert!(speed.problem.is_some_and(|problem| problem.contains("proxy")));
        assert_eq!(speed.problem_code, Some(SpeedProblem::ProxyLogin), "the last one counts");
    }
}
