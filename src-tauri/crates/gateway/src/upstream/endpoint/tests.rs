use super::*;
use crate::account::test_account;
use crate::upstream::host::is_known_host;

const IDC_ARN: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/ABC";

fn of(method: AuthMethod, provider: Option<Provider>, arn: Option<&str>) -> Account {
    Account { method, provider, profile_arn: arn.map(str::to_owned), ..test_account("a") }
}

fn shown(account: &Account) -> Vec<(String, Option<String>)> {
    ladder(account).into_iter().map(|rung| (rung.host, rung.profile_arn)).collect()
}

fn expected(rungs: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    rungs.iter().map(|(host, arn)| ((*host).to_owned(), arn.map(str::to_owned))).collect()
}

#[test]
fn every_kind_of_credential_has_its_own_ladder() {
    let (runtime, q) = ("runtime.us-east-1.kiro.dev", "q.us-east-1.amazonaws.com");
    let social = of(AuthMethod::Social, Some(Provider::Google), None);
    let arn = Some(SOCIAL_ARN);
    assert_eq!(shown(&social), expected(&[(runtime, arn), (q, arn), (OLDEST, arn)]));

    let builder = of(AuthMethod::Idc, Some(Provider::BuilderId), None);
    assert_eq!(shown(&builder), expected(&[(q, None), (OLDEST, None), (runtime, Some(BUILDER_ARN))]));

    let enterprise = of(AuthMethod::Idc, Some(Provider::Enterprise), Some(IDC_ARN));
    let (own, q_eu) = (Some(IDC_ARN), "q.eu-central-1.amazonaws.com");
    assert_eq!(shown(&enterprise), expected(&[("runtime.eu-central-1.kiro.dev", own), (q_eu, own)]));

    let key = of(AuthMethod::ApiKey, None, Some(IDC_ARN));
    assert_eq!(shown(&key), expected(&[(q_eu, None), (OLDEST, None)]), "a key never names a profile");
    let key = of(AuthMethod::ApiKey, None, None);
    assert_eq!(shown(&key), expected(&[(OLDEST, None), (q, None), (q_eu, None)]), "its region is a guess");
}

#[test]
fn what_answered_last_comes_first_and_the_others_keep_their_order() {
    let mut account = of(AuthMethod::Social, Some(Provider::Google), None);
    account.learned_host = Some(OLDEST.to_owned());
    let hosts: Vec<String> = ladder(&account).into_iter().map(|rung| rung.host).collect();
    assert_eq!(hosts, [OLDEST, "runtime.us-east-1.kiro.dev", "q.us-east-1.amazonaws.com"]);
    // A host that is not on the ladder any more, such as one of another region, is not asked.
    account.learned_host = Some("q.eu-central-1.amazonaws.com".to_owned());
    assert!(ladder(&account).iter().all(|rung| rung.host.contains("us-east-1")));
}

#[test]
fn a_chosen_host_stands_alone_with_the_profile_that_belongs_there() {
    let mut builder = of(AuthMethod::Idc, Some(Provider::BuilderId), None);
    builder.wishes.host = Some("runtime.us-east-1.kiro.dev".to_owned());
    assert_eq!(shown(&builder), expected(&[("runtime.us-east-1.kiro.dev", Some(BUILDER_ARN))]));
    for foreign in ["evil.example", "oidc.us-east-1.amazonaws.com", "runtime.us-east-1.kiro.dev.evil.example", ""] {
        builder.wishes.host = Some(foreign.to_owned());
        assert!(ladder(&builder).iter().all(|rung| is_known_host(&rung.host)), "{foreign}");
    }
}

#[test]
fn whatever_the_roster_says_only_hosts_of_the_table_are_on_the_ladder() {
    let regions =
        ["eu-west-1", "evil.example/", "us-east-1.evil.example", "..", "EU-CENTRAL-1", "", "a\nb", "cn-north-1"];
    for region in regions {
        for method in [AuthMethod::Social, AuthMethod::Idc, AuthMethod::ExternalIdp, AuthMethod::ApiKey] {
            let mut account = of(method, None, Some(&format!("arn:aws:codewhisperer:{region}:1:profile/X")));
            account.api_region = Some(region.to_owned());
            account.learned_host = Some(format!("q.{region}.amazonaws.com"));
            let rungs = ladder(&account);
            assert!(!rungs.is_empty());
            assert!(rungs.iter().all(|rung| is_known_host(&rung.host)), "{region:?}: {rungs:?}");
            assert!(is_known_host(&control_plane(&account).host), "{region:?}");
        }
    }
    assert!(data_planes().iter().all(|host| is_data_plane(host) && is_known_host(host)));
}
