//! What the lists of accounts are for: who may be asked, what is shown, and when they are asked for again.

use super::*;

#[test]
fn only_accounts_whose_list_has_a_model_are_asked_for_it() {
    let (catalog, pool) = house(&[&FREE, &PAID]);
    assert_eq!(catalog.among("claude-opus-5", &pool), Some(vec![pool[1].id.clone()]));
    assert_eq!(catalog.among("CLAUDE-SONNET-4.5", &pool).map(|among| among.len()), Some(2));
    assert_eq!(catalog.among("claude-opus-9", &pool), None, "nobody has it: the upstream decides");
    let mut pool = pool;
    pool.push(Arc::new(account("new")));
    assert_eq!(catalog.among("claude-opus-9", &pool), Some(vec![pool[2].id.clone()]), "its list is not known yet");
    assert_eq!(catalog.among("claude-opus-5", &pool), Some(vec![pool[1].id.clone()]));
    assert_eq!(catalog.among("auto", &pool[2..]), Some(vec![pool[2].id.clone()]));
}

#[test]
fn lists_show_what_is_offered_and_the_names_that_were_asked_for() {
    let (catalog, pool) = house(&[&FREE]);
    let ids = |listing: AliasListing| -> Vec<(String, Option<String>)> {
        catalog.cards(&pool, listing, 0).into_iter().map(|card| (card.id, card.alias_of)).collect()
    };
    let offered: Vec<_> = FREE.iter().map(|id| ((*id).to_owned(), None)).collect();
    assert_eq!(ids(AliasListing::None), offered);
    let short = ids(AliasListing::Short);
    assert!(short.starts_with(&offered));
    assert!(short.contains(&("gpt-4o".into(), Some("claude-sonnet-4.5".into()))));
    assert!(!short.iter().any(|(id, _)| id.contains("opus")), "what no account may use is not listed: {short:?}");
    let all = ids(AliasListing::All);
    assert!(all.len() > short.len());
    let mut names: Vec<_> = all.iter().map(|(id, _)| id).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "no name twice");
    let own = catalog.card("claude-sonnet-4-5", &NO_RULES, &pool, 0).expect("offered");
    assert_eq!((own.id.as_str(), own.alias_of), ("claude-sonnet-4.5", None));
    let other = catalog.card("gpt-4o", &NO_RULES, &pool, 0).expect("known");
    assert_eq!((other.id.as_str(), other.alias_of.as_deref()), ("gpt-4o", Some("claude-sonnet-4.5")));
    assert_eq!(catalog.card("opus", &NO_RULES, &pool, 0), None);
}

#[test]
fn every_listed_name_is_known_with_the_full_list() {
    let (catalog, pool) = house(&[&PAID]);
    let known: Vec<_> = catalog.other_names(&pool).into_iter().map(|other| other.name).collect();
    let unknown: Vec<_> =
        alias::SHORT.iter().chain(&alias::MORE).filter(|name| !known.iter().any(|known| known == *name)).collect();
    assert_eq!(unknown, Vec::<&&str>::new());
}

#[test]
fn without_any_list_the_table_stands_in_and_the_upstream_decides_about_the_rest() {
    let catalog = Catalog::default();
    let trace = catalog.resolve("opus", &NO_RULES, &[]).expect("a name").trace;
    assert_eq!((trace.model.as_str(), trace.offered, trace.list_known), ("claude-opus-5", true, false));
    assert_eq!(catalog.resolve("claude-opus-9-9", &NO_RULES, &[]).expect("passed on").id, "claude-opus-9.9");
}

#[test]
fn a_model_that_refused_additional_fields_is_not_sent_any_again() {
    let (catalog, pool) = house(&[&["m"]]);
    assert!(catalog.resolve("m", &NO_RULES, &pool).expect("known").fields_schema.is_some());
    catalog.takes_no_fields("m");
    assert!(catalog.resolve("m", &NO_RULES, &pool).expect("known").fields_schema.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_list_is_asked_for_once_and_again_when_it_is_old_or_in_doubt() {
    let catalog = Catalog::default();
    let account = Arc::new(account("a"));
    let id = account.id.clone();
    assert!(catalog.wants(&id));
    catalog.missed(&id);
    assert!(!catalog.wants(&id) && !catalog.knows(&id));
    tokio::time::advance(PAUSE * 2).await;
    assert!(catalog.wants(&id));
    catalog.learned(&id, vec![model("m")]);
    tokio::time::advance(PAUSE * 2).await;
    assert!(!catalog.wants(&id));
    catalog.doubt(&id);
    assert!(catalog.wants(&id));
    catalog.missed(&id);
    assert_eq!(catalog.offered(&[account]).len(), 1, "the last good list stays");
    catalog.distrust_all();
    assert!(catalog.wants(&id), "asked for by a person");
}
