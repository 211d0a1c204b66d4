//! Alerts: one for each lasting trouble, told once to everybody, and once when it is over.

use std::sync::Arc;

use heliu_model::alert::{AlertKind, Trouble};

use super::*;

fn trouble(key: &str, message: &str) -> Trouble {
    Trouble {
        key: key.into(),
        kind: AlertKind::Failed,
        plan: "shops".into(),
        run: Some("01H".into()),
        code: "HL-3001".into(),
        message: text!("{message}", "{message}"),
        hint: text!("look", "请检查"),
    }
}

fn seen(judged: &[&str], troubles: &[(&str, &str)], channels: &[&str]) -> Observation {
    Observation {
        judged: judged.iter().map(|k| (*k).to_owned()).collect(),
        judged_kind: None,
        troubles: troubles.iter().map(|(k, m)| trouble(k, m)).collect(),
        channels: channels.iter().map(|c| (*c).to_owned()).collect(),
    }
}

async fn open(store: &dyn Store) -> Vec<(String, u64)> {
    let filter = AlertFilter { open_only: true, ..AlertFilter::default() };
    let list = store.alerts(&filter).await.expect("alerts");
    list.into_iter().map(|a| (a.trouble.key, a.times)).collect()
}

/// While it lasts it is counted, whatever words it has; when it is over it is closed, and may come again.
pub async fn a_lasting_trouble_is_one_alert(store: Arc<dyn Store>) {
    let at = |s: i64| START.plus_ms(s * 1_000);
    let first = store.observe(&seen(&[], &[("a", "one")], &[]), at(0)).await.expect("observe");
    assert_eq!((first.opened.len(), first.closed.len()), (1, 0));
    let again = store.observe(&seen(&["a"], &[("a", "two")], &[]), at(60)).await.expect("observe");
    assert_eq!(again, Observed::default());
    let all = store.alerts(&AlertFilter::default()).await.expect("alerts");
    let [only] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((only.opened, only.last, only.times, only.closed), (at(0), at(60), 2, None));
    assert_eq!(only.trouble, trouble("a", "two"));
    // What was not judged stays as it is.
    assert_eq!(store.observe(&seen(&["b"], &[], &[]), at(70)).await, Ok(Observed::default()));
    assert_eq!(open(&*store).await, [("a".to_owned(), 2)]);
    let over = store.observe(&seen(&["a", "b"], &[], &[]), at(80)).await.expect("observe");
    assert_eq!((over.opened.len(), over.closed.len()), (0, 1));
    assert_eq!((over.closed[0].closed, over.closed[0].times), (Some(at(80)), 2));
    assert_eq!(open(&*store).await, []);
    let anew = store.observe(&seen(&["a"], &[("a", "three")], &[]), at(90)).await.expect("observe");
    assert_ne!(anew.opened[0].id, only.id);
    let all = store.alerts(&AlertFilter::default()).await.expect("alerts");
    assert_eq!(all.iter().map(|a| a.closed).collect::<Vec<_>>(), [None, Some(at(80))]);
    let other = AlertFilter { plan: Some("other".into()), ..AlertFilter::default() };
    assert_eq!(store.alerts(&other).await, Ok(Vec::new()));
    let newest = AlertFilter { plan: Some("shops".into()), limit: 1, ..AlertFilter::default() };
    assert_eq!(store.alerts(&newest).await.expect("alerts").len(), 1);
}

/// All of a kind can be judged at once.
pub async fn a_kind_is_judged_as_a_whole(store: Arc<dyn Store>) {
    let late = |keys: &[&str]| Observation {
        judged_kind: Some(AlertKind::Late),
        troubles: keys.iter().map(|k| Trouble { kind: AlertKind::Late, ..trouble(k, "late") }).collect(),
        ..Observation::default()
    };
    store.observe(&seen(&[], &[("failed", "x")], &[]), START).await.expect("observe");
    assert_eq!(store.observe(&late(&["a", "b"]), START).await.expect("observe").opened.len(), 2);
    let next = store.observe(&late(&["b", "c"]), START).await.expect("observe");
    assert_eq!((next.opened[0].trouble.key.as_str(), next.closed[0].trouble.key.as_str()), ("c", "a"));
    assert_eq!(store.observe(&late(&[]), START).await.expect("observe").closed.len(), 2);
    assert_eq!(open(&*store).await, [("failed".to_owned(), 1)]);
    let id = store.alerts(&AlertFilter::default()).await.expect("alerts").pop().expect("one").id;
    assert_eq!(store.close_alert(id, START).await, Ok(true));
    assert_eq!(store.close_alert(id, START).await, Ok(false));
    assert_eq!(open(&*store).await, []);
}

/// Opening and end are told to each channel once; a notice that is taken is nobody else's for a while.
pub async fn notices_are_taken_once_and_kept_until_they_arrive(store: Arc<dyn Store>) {
    let at = |s: i64| START.plus_ms(s * 1_000);
    let both = ["ops", "boss"];
    store.observe(&seen(&[], &[("a", "one"), ("b", "one")], &both), at(0)).await.expect("observe");
    store.observe(&seen(&["a"], &[("a", "two")], &both), at(1)).await.expect("observe");
    let take =
        async |channel: &str, s: i64| store.take_notices(channel, at(s), at(s + 60), 10).await.expect("take");
    let first = take("ops", 2).await;
    assert_eq!(first.iter().map(|n| n.alert.trouble.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(first[0].alert.trouble.message, text!("two", "two"), "in its newest words");
    assert_eq!((first[0].recovery, first[0].since, first[0].tries), (false, at(0), 0));
    assert_eq!(take("ops", 3).await, [], "somebody is at it");
    assert_eq!(take("boss", 3).await.len(), 2, "each channel has its own");
    assert_eq!(take("nobody", 3).await, []);
    // It did not arrive: again, and counted. Whoever took it and died gives it back by and by.
    let ids: Vec<i64> = first.iter().map(|n| n.id).collect();
    store.settle_notices(&ids[..1], Sending::Again(at(30))).await.expect("settle");
    assert_eq!(take("ops", 29).await, []);
    let again = take("ops", 30).await;
    assert_eq!((again.len(), again[0].id, again[0].tries), (1, ids[0], 1));
    assert_eq!(take("ops", 62).await.iter().map(|n| n.id).collect::<Vec<_>>(), ids[1..]);
    store.settle_notices(&ids[..1], Sending::Arrived).await.expect("settle");
    store.settle_notices(&ids[1..], Sending::GivenUp).await.expect("settle");
    assert_eq!(take("ops", 1_000).await, []);
    // The end, as it was.
    store.observe(&seen(&["a", "b"], &[], &["ops"]), at(2_000)).await.expect("observe");
    let over = take("ops", 2_001).await;
    assert_eq!(
        over.iter().map(|n| (n.recovery, n.alert.closed)).collect::<Vec<_>>(),
        [(true, Some(at(2_000))); 2]
    );
    assert_eq!(take("boss", 2_001).await.len(), 2, "the opening ones are still to be told");
}
