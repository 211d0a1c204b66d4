//! Alerts: one for each lasting trouble, told once and once more when it is over; sending never holds anybody up.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heliu_engine::{Alarm, Engine, RunOptions, Silent, Stop, deliver};
use heliu_model::alert::{Alert, AlertKind, Notice};
use heliu_model::ports::{AlertFilter, Alerts, Clock, Post};
use heliu_model::{Failure, text};

use crate::world::{World, at, times};

fn alarm(w: &World) -> Alarm {
    Alarm {
        alerts: Arc::new(w.ledger.clone()),
        clock: Arc::new(w.clock.clone()),
        channels: Arc::new(|| vec!["ops".to_owned()]),
        late_ms: None,
    }
}

fn engine(w: &World) -> Engine {
    w.engine("one").alarm(alarm(w))
}

async fn run(w: &World, plan: &str, options: RunOptions) {
    let _ = engine(w).run(&w.spec(plan), &w.sides(plan), options, Arc::new(Silent), Stop::never()).await;
}

async fn all(w: &World) -> Vec<Alert> {
    let mut list = w.ledger.alerts(&AlertFilter::default()).await.unwrap();
    list.reverse();
    list
}

/// Takes messages, or refuses them until a time.
#[derive(Default)]
struct Pigeon {
    refuses: Mutex<usize>,
    sent: Mutex<Vec<Vec<(String, bool)>>>,
    tries: Mutex<Vec<String>>,
}

impl Pigeon {
    fn sent(&self) -> Vec<Vec<(String, bool)>> {
        self.sent.lock().unwrap().clone()
    }
}

#[async_trait]
impl Post for Pigeon {
    fn channels(&self) -> Vec<String> {
        vec!["ops".into(), "idle".into()]
    }

    async fn post(&self, channel: &str, notices: &[Notice]) -> Result<(), Failure> {
        self.tries.lock().unwrap().push(channel.to_owned());
        let mut refuses = self.refuses.lock().unwrap();
        if *refuses > 0 {
            *refuses -= 1;
            return Err(Failure::transient("HL-7065", text!("not today", "今天不行")));
        }
        let line = |n: &Notice| (n.alert.trouble.plan.clone(), n.recovery);
        self.sent.lock().unwrap().push(notices.iter().map(line).collect());
        Ok(())
    }
}

#[test]
fn a_run_that_keeps_failing_is_one_alert_and_a_clean_one_ends_it() {
    let w = World::new("16:00:00");
    w.behave("a", |b| b.fails_until = Some(at("16:10:00")));
    let clock = w.clock.clone();
    clock.clone().run(async {
        let post = Pigeon::default();
        for _ in 0..3 {
            run(&w, "a", RunOptions::default()).await;
            clock.sleep_ms(60_000).await;
        }
        let list = all(&w).await;
        let [only] = list.as_slice() else { panic!("{list:?}") };
        assert_eq!((only.trouble.kind, only.times, only.closed), (AlertKind::Failed, 3, None));
        assert!(only.trouble.run.is_some() && only.trouble.code.starts_with("HL-"), "{only:?}");
        assert_eq!(deliver(&w.ledger, &post, &clock).await.unwrap().arrived, 1);
        assert_eq!(deliver(&w.ledger, &post, &clock).await.unwrap().arrived, 0);
        // A run that reads nothing proves nothing about the source.
        run(&w, "a", RunOptions { target_only: true, ..RunOptions::default() }).await;
        assert_eq!(all(&w).await[0].closed, None);
        clock.sleep_ms(600_000).await;
        run(&w, "a", RunOptions::default()).await;
        let list = all(&w).await;
        assert_eq!((list.len(), list[0].closed), (1, Some(clock.now())));
        deliver(&w.ledger, &post, &clock).await.unwrap();
        assert_eq!(post.sent(), [vec![("a".to_owned(), false)], vec![("a".to_owned(), true)]]);
    });
}

#[test]
fn what_does_not_arrive_is_tried_again_after_longer_and_longer_pauses() {
    let w = World::new("16:00:00");
    w.behave("a", |b| b.fails_until = Some(at("23:00:00")));
    let clock = w.clock.clone();
    clock.clone().run(async {
        let post = Pigeon { refuses: Mutex::new(3), ..Pigeon::default() };
        run(&w, "a", RunOptions::default()).await;
        let begun = clock.now();
        let mut tried = Vec::new();
        for _ in 0..200 {
            let before = post.tries.lock().unwrap().len();
            deliver(&w.ledger, &post, &clock).await.unwrap();
            if post.tries.lock().unwrap().len() > before {
                tried.push((clock.now().0 - begun.0) / 1_000);
            }
            clock.sleep_ms(1_000).await;
        }
        assert_eq!(tried, [0, 10, 30, 70]);
        assert_eq!(post.sent().len(), 1);
        // A channel that never answers is given up after a day, and holds no other one up.
        *post.refuses.lock().unwrap() = usize::MAX;
        w.behave("b", |b| b.fails_until = Some(at("23:00:00")));
        run(&w, "b", RunOptions::default()).await;
        let mut lost = false;
        for _ in 0..60 {
            let done = deliver(&w.ledger, &post, &clock).await.unwrap();
            lost |= done.failed.iter().any(|(_, _, lost)| *lost);
            clock.sleep_ms(3_600_000).await;
        }
        assert!(lost);
        let before = post.tries.lock().unwrap().len();
        deliver(&w.ledger, &post, &clock).await.unwrap();
        assert_eq!(post.tries.lock().unwrap().len(), before);
    });
}

#[test]
fn troubles_of_many_plans_go_in_one_message() {
    let w = World::new("16:00:00");
    let clock = w.clock.clone();
    clock.clone().run(async {
        let post = Pigeon::default();
        for n in 0..30 {
            let plan = format!("p{n}");
            w.behave(&plan, |b| b.fails_until = Some(at("23:00:00")));
            run(&w, &plan, RunOptions::default()).await;
        }
        deliver(&w.ledger, &post, &clock).await.unwrap();
        assert_eq!(post.sent().iter().map(Vec::len).collect::<Vec<_>>(), [30]);
    });
}

#[test]
fn a_run_that_does_not_end_makes_its_schedule_late_until_it_does() {
    let w = World::new("15:59:00");
    w.behave("a", |b| {
        b.records = vec![("x".into(), "1".into())];
        b.open_ms = 40 * 60_000;
    });
    let clock = w.clock.clone();
    clock.clone().run(async {
        let plan = times("a", "0 */5 * * * ?");
        let (_tx, service) = w.service_with(engine(&w), &[plan]);
        let look = async {
            clock.sleep_ms(20 * 60_000).await;
            assert_eq!(all(&w).await.len(), 0, "not yet");
            clock.sleep_ms(8 * 60_000).await;
            let list = all(&w).await;
            let [late] = list.as_slice() else { panic!("{list:?}") };
            assert_eq!((late.trouble.kind, late.trouble.code.as_str()), (AlertKind::Late, "HL-7064"));
            assert!(late.trouble.message.en.contains("16:05:00"), "{late:?}");
            w.behave("a", |b| b.open_ms = 0);
        };
        tokio::join!(service.until(&clock, at("16:50:00")), look);
        let list = all(&w).await;
        assert_eq!(list.len(), 1, "{list:?}");
        assert!(list[0].times > 5 && list[0].closed.is_some(), "{list:?}");
    });
}
