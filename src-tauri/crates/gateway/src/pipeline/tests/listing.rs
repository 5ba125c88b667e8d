//! A list of models that does not come holds up nobody who can be served without it.

use super::*;

/// A token endpoint that never answers.
struct Silent;

impl Identity for Silent {
    fn refresh<'a>(&'a self, _: &'a Account, _: &'a Secrets) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        Box::pin(std::future::pending())
    }
}

impl House {
    /// Nothing is known of any list, and the tokens of the accounts named here have to be bought.
    async fn unlisted(accounts: &[&str], without_token: &[&str], scenes: Vec<Scene>) -> Self {
        let house = Self::with_identity(accounts, scenes, Arc::new(Silent));
        house.save_login().await;
        for account in house.roster.list().iter() {
            house.pipeline.catalog.forget(&account.id);
            if without_token.contains(&account.label.as_str()) {
                house.pipeline.dispatcher.tokens.forget(&account.id);
            }
        }
        house
    }

    fn lists_asked(&self) -> usize {
        self.upstream.asked().iter().filter(|asked| asked.what == "models").count()
    }
}

const LIST: &str = r#"{"models": ["auto", "claude-sonnet-4.5"]}"#;

#[tokio::test(start_paused = true)]
async fn an_account_whose_token_endpoint_hangs_does_not_hold_up_the_others() {
    let house = House::unlisted(&["slow", "ready"], &["slow"], vec![answer("one"), answer("two")]).await;
    house.upstream.lists([(200, LIST.to_owned())]);
    let since = Instant::now();
    assert_eq!(said(&all(&mut house.begin().await).await.0), "one");
    assert!(since.elapsed() <= Duration::from_millis(500), "{:?}", since.elapsed());
    let since = Instant::now();
    assert_eq!(said(&all(&mut house.begin().await).await.0), "two");
    assert_eq!(since.elapsed(), Duration::ZERO, "what was waited for once is not waited for again");
    assert_eq!(house.lists_asked(), 1, "and no list was asked for twice");
}

#[tokio::test(start_paused = true)]
async fn while_no_list_is_known_the_first_requests_wait_three_seconds_together_and_no_more() {
    let house = House::unlisted(&["slow"], &["slow"], Vec::new()).await;
    let since = Instant::now();
    let wait = async || house.pipeline.first_list().await;
    futures_util::join!(wait(), wait());
    assert_eq!(since.elapsed(), Duration::from_secs(3));
    wait().await;
    assert_eq!(since.elapsed(), Duration::from_secs(3), "the next one does not wait anew");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_takes_no_list_with_it() {
    let house = House::unlisted(&["a", "b"], &[], Vec::new()).await;
    house.upstream.lists([(200, LIST.to_owned()), (200, LIST.to_owned())]);
    {
        let first = house.pipeline.first_list();
        tokio::pin!(first);
        assert!(futures_util::poll!(&mut first).is_pending());
    }
    house.pipeline.learn_models().await;
    assert!(house.roster.list().iter().all(|account| house.pipeline.catalog.knows(&account.id)));
    assert_eq!(house.lists_asked(), 2);
}
