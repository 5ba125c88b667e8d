//! Sign-ins with a code that the person confirms in any browser (RFC 8628): no listener, no redirect.

use std::sync::Arc;
use std::time::Duration;

use super::ended::Ended;
use super::finish::Granted;
use super::shown::{Awaits, LoginForm};
use super::wish::{Instance, Opening};
use super::{Login, PATIENCE, Parts};
use crate::account::Provider;
use crate::upstream::identity::Refreshed;
use crate::upstream::identity::sign_in::{DevicePoll, DeviceStart, OidcFlow, RegisteredClient, SignInError, SocialIdp};

/// Never ask faster, whatever the provider allows.
const FASTEST: Duration = Duration::from_millis(250);
/// Added for each time that the provider finds us too fast (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// Between two questions while the provider is out of reach.
const SLOWEST: Duration = Duration::from_secs(30);

/// AWS Builder ID and IAM Identity Center.
pub(super) async fn oidc(
    parts: &Arc<Parts>,
    login: &Login,
    instance: &Instance,
    opening: &Opening,
) -> Result<Granted, Ended> {
    let (client, started) = start(parts, login, instance).await?;
    show(parts, login, &started, opening).await;
    let ask = || login.calls.oidc_poll(&instance.region, &client, &started.device_code);
    let tokens = wait(&started, ask).await;
    if let Err(SignInError::ClientGone(_)) = &tokens {
        parts.registrations.forget(&client.id).await;
    }
    Ok(Granted::oidc(instance, client, tokens?))
}

/// Starts with the kept registration; when that is not accepted any more, once again with a new one.
async fn start(
    parts: &Arc<Parts>,
    login: &Login,
    instance: &Instance,
) -> Result<(RegisteredClient, DeviceStart), Ended> {
    let Instance { region, start_url, .. } = instance;
    let client = parts.registrations.get(&login.calls, region, start_url, OidcFlow::Device).await?;
    match login.calls.oidc_device(region, start_url, &client).await {
        Err(SignInError::ClientGone(reason)) => {
            tracing::info!(reason, "the kept client registration is not accepted; a new one is made");
            parts.registrations.forget(&client.id).await;
            let client = parts.registrations.get(&login.calls, region, start_url, OidcFlow::Device).await?;
            let started = login.calls.oidc_device(region, start_url, &client).await?;
            Ok((client, started))
        }
        started => Ok((client, started?)),
    }
}

/// Google and GitHub through Kiro's own service.
pub(super) async fn social(
    parts: &Arc<Parts>,
    login: &Login,
    idp: SocialIdp,
    opening: &Opening,
) -> Result<Granted, Ended> {
    let started = login.calls.social_device(idp).await?;
    show(parts, login, &started, opening).await;
    let tokens = wait(&started, || login.calls.social_poll(&started.device_code)).await?;
    Ok(Granted::social(provider(idp), tokens))
}

/// Who vouched, as accounts name it.
pub(super) fn provider(idp: SocialIdp) -> Provider {
    match idp {
        SocialIdp::Google => Provider::Google,
        SocialIdp::Github => Provider::Github,
    }
}

async fn show(parts: &Parts, login: &Login, started: &DeviceStart, opening: &Opening) {
    let until = parts.clock.now().plus(started.lives).min(login.started_at.plus(PATIENCE));
    let present = login.present(parts, &started.page, opening, |shown| {
        shown.form = LoginForm::Device;
        shown.awaits = Awaits::DeviceCode;
        shown.user_code = Some(started.user_code.clone());
        shown.expires_at = until;
    });
    present.await;
}

/// Asks until the person has decided. A provider that is out of reach for a while is no end: the person may be signing in.
async fn wait<F>(started: &DeviceStart, ask: impl Fn() -> F) -> Result<Refreshed, SignInError>
where
    F: Future<Output = Result<DevicePoll, SignInError>>,
{
    let deadline = tokio::time::Instant::now() + started.lives;
    let mut interval = started.interval.max(FASTEST);
    let mut trouble = Duration::ZERO;
    loop {
        tokio::time::sleep(interval + trouble).await;
        match ask().await {
            Ok(DevicePoll::Done(tokens)) => return Ok(*tokens),
            Ok(DevicePoll::Pending) => trouble = Duration::ZERO,
            Ok(DevicePoll::SlowDown) => interval += SLOWER,
            Err(SignInError::Transient { message, retry_after }) => {
                tracing::debug!(message, "the sign-in service did not say whether the code was confirmed");
                trouble = retry_after.unwrap_or((trouble * 2).max(interval)).min(SLOWEST);
            }
            Err(SignInError::ProxyDown) => {
                tracing::debug!("the proxy of the account cannot be used now");
                trouble = (trouble * 2).max(interval).min(SLOWEST);
            }
            Err(error) => return Err(error),
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(SignInError::Expired);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use secrecy::SecretString;

    use super::*;
    use tokio::time::Instant;

    fn started(lives: u64, interval: u64) -> DeviceStart {
        DeviceStart {
            device_code: SecretString::from("code"),
            user_code: "ABCD".into(),
            page: url::Url::parse("https://app.kiro.dev/device").expect("a URL"),
            lives: Duration::from_secs(lives),
            interval: Duration::from_secs(interval),
        }
    }

    fn tokens() -> DevicePoll {
        DevicePoll::Done(Box::new(Refreshed {
            access_token: "a".into(),
            refresh_token: None,
            expires_in: None,
            profile_arn: None,
        }))
    }

    /// When each question was asked, in seconds, with these answers.
    async fn asked(
        started: &DeviceStart,
        answers: Vec<Result<DevicePoll, SignInError>>,
    ) -> (Vec<u64>, Result<Refreshed, SignInError>) {
        let begin = Instant::now();
        let (times, answers) = (Mutex::new(Vec::new()), Mutex::new(answers.into_iter()));
        let ask = || {
            times.lock().expect("lock").push(begin.elapsed().as_secs());
            let answer = answers.lock().expect("lock").next().unwrap_or(Ok(DevicePoll::Pending));
            async move { answer }
        };
        let done = wait(started, ask).await;
        (times.into_inner().expect("lock"), done)
    }

    #[tokio::test(start_paused = true)]
    async fn the_interval_is_kept_and_grows_by_five_seconds_when_the_provider_finds_us_too_fast() {
        let answers = vec![Ok(DevicePoll::Pending), Ok(DevicePoll::SlowDown), Ok(DevicePoll::Pending), Ok(tokens())];
        let (times, done) = asked(&started(600, 2), answers).await;
        assert_eq!(times, [2, 4, 11, 18]);
        assert!(done.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn trouble_slows_down_and_does_not_end_the_wait() {
        let trouble = || Err(SignInError::Transient { message: "503".into(), retry_after: None });
        let asked_to_wait =
            Err(SignInError::Transient { message: "429".into(), retry_after: Some(Duration::from_secs(20)) });
        let answers = vec![trouble(), trouble(), trouble(), asked_to_wait, Ok(DevicePoll::Pending), Ok(tokens())];
        let (times, done) = asked(&started(600, 1), answers).await;
        assert_eq!(times, [1, 3, 6, 11, 32, 33]);
        assert!(done.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_that_nobody_confirms_expires_with_its_life() {
        let (times, done) = asked(&started(30, 10), Vec::new()).await;
        assert_eq!((times.len(), done.expect_err("late")), (3, SignInError::Expired));
    }
}
