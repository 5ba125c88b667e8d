//! Where questions about an account itself may be asked, and which refusal leaves hope for another place.

use crate::account::Account;
use crate::upstream::classify::Kind;
use crate::upstream::endpoint;

/// A host, and which profile to name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) arn: Option<String>,
}

/// The hosts that know the account, each with its profile first and then without: some refuse a profile that others want
/// (kiro-upstream §1.4).
pub(super) fn places(account: &Account) -> Vec<Place> {
    let rungs = endpoint::control_planes(account).into_iter();
    let both = rungs.flat_map(|rung| {
        let without = rung.profile_arn.is_some().then(|| Place { host: rung.host.clone(), arn: None });
        std::iter::once(Place { host: rung.host, arn: rung.profile_arn }).chain(without)
    });
    both.collect()
}

/// What may be tried after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The same place with another form of the question.
    OtherForm,
    /// The next place, of whatever host.
    OtherPlace,
    /// The next host. A token that one host does not take may be at the wrong host (kiro-upstream §1.2).
    OtherHost,
    Stop,
}

impl Next {
    pub(super) fn after(kind: Kind) -> Self {
        match kind {
            Kind::Gate => Self::OtherForm,
            Kind::Malformed | Kind::Invalid | Kind::WrongRung | Kind::Forbidden | Kind::Corrupt => Self::OtherPlace,
            Kind::NoSuchPath | Kind::Transport | Kind::TokenRejected => Self::OtherHost,
            Kind::ContextTooLong
            | Kind::UnknownModel
            | Kind::ConversationId
            | Kind::ReasoningSignature
            | Kind::FieldsUnsupported
            | Kind::Suspended
            | Kind::Organisation
            | Kind::MonthlyQuota
            | Kind::DailyQuota
            | Kind::Throttled
            | Kind::RiskControl
            | Kind::ModelBusy
            | Kind::Unavailable
            | Kind::ServerError
            | Kind::GaveUp
            | Kind::Blocked
            | Kind::TimedOut
            | Kind::Truncated
            | Kind::BrokenToolCall
            | Kind::Empty
            | Kind::ProxyDown
            | Kind::NotSent => Self::Stop,
        }
    }

    /// Where to go on from `at`; `None` when nothing is left.
    pub(super) fn place(self, places: &[Place], at: usize) -> Option<usize> {
        let host = &places[at].host;
        match self {
            Self::OtherForm | Self::OtherPlace => Some(at + 1).filter(|next| *next < places.len()),
            Self::OtherHost => places.iter().skip(at).position(|place| place.host != *host).map(|ahead| at + ahead),
            Self::Stop => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{AuthMethod, test_account};
    use crate::upstream::host::is_known_host;

    fn hosts(account: &Account) -> Vec<(String, bool)> {
        places(account).into_iter().map(|place| (place.host, place.arn.is_some())).collect()
    }

    #[test]
    fn an_account_with_a_profile_never_asks_the_other_region() {
        let mut account = test_account("a");
        account.method = AuthMethod::Idc;
        account.profile_arn = Some("arn:aws:codewhisperer:eu-central-1:111122223333:profile/A".into());
        let own = "q.eu-central-1.amazonaws.com".to_owned();
        let newer = "management.eu-central-1.kiro.dev".to_owned();
        assert_eq!(hosts(&account), [(own.clone(), true), (own, false), (newer.clone(), true), (newer, false)]);
    }

    #[test]
    fn a_key_of_a_region_never_asks_the_other_one() {
        let mut account = test_account("a");
        account.method = AuthMethod::ApiKey;
        account.profile_arn = None;
        account.api_region = Some("eu-central-1".into());
        let asked: Vec<String> = hosts(&account).into_iter().map(|(host, _)| host).collect();
        assert_eq!(asked, ["q.eu-central-1.amazonaws.com", "management.eu-central-1.kiro.dev"]);
    }

    #[test]
    fn an_account_without_a_profile_asks_both_regions() {
        let mut account = test_account("a");
        account.method = AuthMethod::Idc;
        let asked: Vec<String> = hosts(&account).into_iter().map(|(host, _)| host).collect();
        assert_eq!(
            asked,
            ["q.us-east-1.amazonaws.com", "q.eu-central-1.amazonaws.com", "management.us-east-1.kiro.dev"]
        );
    }

    #[test]
    fn a_key_is_also_asked_about_where_its_ladder_begins() {
        let mut account = test_account("a");
        account.method = AuthMethod::ApiKey;
        account.profile_arn = None;
        let asked: Vec<String> = hosts(&account).into_iter().map(|(host, _)| host).collect();
        let (q, oldest, other) =
            ("q.us-east-1.amazonaws.com", "codewhisperer.us-east-1.amazonaws.com", "q.eu-central-1.amazonaws.com");
        assert_eq!(asked, [q, oldest, other, "management.us-east-1.kiro.dev"]);
        assert!(asked.iter().all(|host| is_known_host(host)));
    }

    #[test]
    fn a_host_that_does_not_answer_is_left_with_every_form_of_the_question() {
        let mut account = test_account("a");
        account.method = AuthMethod::Idc;
        account.profile_arn = Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/A".into());
        let places = places(&account);
        assert_eq!(Next::after(Kind::Transport).place(&places, 0), Some(2));
        assert_eq!(Next::after(Kind::TokenRejected).place(&places, 0), Some(2));
        assert_eq!(Next::after(Kind::Malformed).place(&places, 0), Some(1));
        assert_eq!(
            Next::after(Kind::Malformed).place(&places, 2),
            Some(3),
            "the newer one refuses a profile from companies"
        );
        assert_eq!(Next::after(Kind::Transport).place(&places, 2), None);
    }
}
