//! The compiled table of hosts: the only ones that may ever see a credential.

/// Regions with a data plane.
pub(crate) const API_REGIONS: [&str; 2] = ["us-east-1", "eu-central-1"];
/// Hosts with one fixed name.
const FIXED: [&str; 6] = [
    "codewhisperer.us-east-1.amazonaws.com",
    "prod.us-east-1.auth.desktop.kiro.dev",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
];
/// Regions in which an identity instance may live (AWS SSO OIDC).
const IDENTITY_REGIONS: [&str; 36] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// The same in the partition of China, whose hosts end differently.
const IDENTITY_REGIONS_OF_CHINA: [&str; 2] = ["cn-north-1", "cn-northwest-1"];

/// The host of the identity service (AWS SSO OIDC) of a region; `None` when it is not in the table.
pub(super) fn identity(region: &str) -> Option<String> {
    if IDENTITY_REGIONS.contains(&region) {
        return Some(format!("oidc.{region}.amazonaws.com"));
    }
    IDENTITY_REGIONS_OF_CHINA.contains(&region).then(|| format!("oidc.{region}.amazonaws.com.cn"))
}

/// The region in the name of a host of the data plane.
pub(crate) fn region_of(host: &str) -> Option<&'static str> {
    API_REGIONS.into_iter().find(|region| {
        host == format!("runtime.{region}.kiro.dev")
            || host == format!("q.{region}.amazonaws.com")
            || host == format!("codewhisperer.{region}.amazonaws.com")
    })
}

/// True for a host of the compiled table, the only ones that may see a credential.
pub(super) fn is_known_host(host: &str) -> bool {
    if FIXED.contains(&host) {
        return true;
    }
    let region_of = |prefix: &str, suffix: &str| host.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
    let data_plane = region_of("runtime.", ".kiro.dev")
        .or_else(|| region_of("management.", ".kiro.dev"))
        .or_else(|| region_of("q.", ".amazonaws.com"));
    if let Some(region) = data_plane {
        return API_REGIONS.contains(&region);
    }
    let identity_region = region_of("oidc.", ".amazonaws.com").or_else(|| region_of("oidc.", ".amazonaws.com.cn"));
    identity_region.and_then(identity).is_some_and(|known| known == host)
}

#[cfg(test)]
mod tests {
    use super::is_known_host;

    #[test]
    fn only_the_listed_regions_of_the_listed_services_are_known() {
        for host in [
            "runtime.us-east-1.kiro.dev",
            "management.eu-central-1.kiro.dev",
            "q.eu-central-1.amazonaws.com",
            "codewhisperer.us-east-1.amazonaws.com",
            "oidc.eu-west-1.amazonaws.com",
            "prod.us-east-1.auth.desktop.kiro.dev",
        ] {
            assert!(is_known_host(host), "{host}");
        }
        for host in [
            "runtime.eu-west-1.kiro.dev",
            "q..amazonaws.com",
            "q.us-east-1.amazonaws.com.evil.example",
            "evil.q.us-east-1.amazonaws.com",
            "oidc.evil/.amazonaws.com",
            "Q.us-east-1.amazonaws.com",
            "q.us-east-1.amazonaws.com:443",
            "",
        ] {
            assert!(!is_known_host(host), "{host}");
        }
    }
}
