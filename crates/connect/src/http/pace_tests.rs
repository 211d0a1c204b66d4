//! Fair shares of a budget, in virtual time: as whoever counts arrivals on the other side would count them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use heliu_model::ports::Clock;
use heliu_model::{CallKind, Class, ConnectorSpec, Failure, Ts, text};
use heliu_testkit::{ManualClock, MemoryLedger};
use heliu_transform::Map;

use super::account::{Account, Ask};
use super::client::{Client, Reach, Timeouts};
use crate::manifest::Manifest;

const T0: i64 = 1_710_403_200_000;

/// One credential, and the arrivals that its platform counts.
pub(super) struct Bench {
    pub clock: ManualClock,
    pub ledger: Arc<MemoryLedger>,
    pub log: Arc<Mutex<Vec<(i64, String)>>>,
}

impl Bench {
    pub fn new() -> Bench {
        let clock = ManualClock::new(Ts(T0));
        Bench { clock, ledger: Arc::new(MemoryLedger::default()), log: Arc::default() }
    }

    /// The credential as a process sees it.
    pub fn account(&self, limits: &str, owner: &str) -> Arc<Account> {
        let toml = format!(
            "name = \"p\"\nbase_url = \"http://127.0.0.1:9\"\ntitle = {{ en = \"p\", zh = \"p\" }}\n[limits]\n{limits}\n\
             [[apis]]\npath = \"slow\"\ntitle = {{ en = \"s\", zh = \"s\" }}\nlimits = {{ requests_per_minute = 6 }}\n"
        );
        let manifest = Manifest::read(&toml, "p.toml").unwrap_or_else(|p| panic!("{p:#?}"));
        let spec = ConnectorSpec { name: "c".into(), ..ConnectorSpec::default() };
        let ports = super::Ports {
            clock: Arc::new(self.clock.clone()),
            tokens: self.ledger.clone(),
            budget: self.ledger.clone(),
            owner: owner.into(),
            client: Client::new(Timeouts::default(), &Reach::default()).unwrap(),
        };
        Arc::new(Account::new(manifest, &spec, ports).unwrap_or_else(|p| panic!("{p:#?}")))
    }

    /// A plan with so many readers, each of which asks again as soon as it is answered, after `ms`.
    pub fn plan(&self, account: &Arc<Account>, name: &str, readers: usize, api: &str, ms: u64) {
        for _ in 0..readers {
            let (account, clock, log) = (account.clone(), self.clock.clone(), self.log.clone());
            let (name, api) = (name.to_owned(), api.to_owned());
            tokio::spawn(async move {
                loop {
                    let route = account.route(&api);
                    let mut ask = Ask::new(CallKind::Fetch, "GET", api.clone(), Map::new(), route);
                    ask.plan = Arc::from(name.as_str());
                    let pass = account.wait_for_budget(Some(&ask)).await.unwrap();
                    // It arrives somewhere on its way.
                    clock.sleep_ms(ms / 2).await;
                    log.lock().unwrap().push((clock.now().0, name.clone()));
                    clock.sleep_ms(ms - ms / 2).await;
                    pass.over().await.unwrap();
                }
            });
        }
    }

    /// A plan whose answers come from a platform with limits of its own; waits when it is told to, as runs do.
    pub fn throttled_plan(
        &self,
        account: &Arc<Account>,
        name: &str,
        readers: usize,
        platform: &Arc<Platform>,
    ) {
        for _ in 0..readers {
            let (account, clock, log) = (account.clone(), self.clock.clone(), self.log.clone());
            let (name, platform) = (name.to_owned(), platform.clone());
            tokio::spawn(async move {
                loop {
                    let route = account.route("/x");
                    let mut ask = Ask::new(CallKind::Fetch, "GET", "/x".into(), Map::new(), route);
                    ask.plan = Arc::from(name.as_str());
                    let pass = account.wait_for_budget(Some(&ask)).await.unwrap();
                    let begun = clock.now();
                    clock.sleep_ms(20).await;
                    let now = clock.now().0;
                    log.lock().unwrap().push((now, name.clone()));
                    let mut answer = platform.answer(now);
                    clock.sleep_ms(20).await;
                    account.heed(&mut answer, begun, Some(&ask)).await.unwrap();
                    pass.over().await.unwrap();
                    if let Err(f) = answer {
                        clock.sleep_ms(f.retry_after_ms.unwrap()).await;
                    }
                }
            });
        }
    }

    /// Plays for so long.
    pub fn play(&self, ms: u64, start: impl FnOnce(&Bench)) {
        self.clock.run(async {
            start(self);
            self.clock.sleep_ms(ms).await;
        });
    }

    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut out = BTreeMap::new();
        for (_, name) in self.log.lock().unwrap().iter() {
            *out.entry(name.clone()).or_default() += 1;
        }
        out
    }

    /// The most arrivals in any window of so many milliseconds.
    pub fn fullest(&self, span: i64) -> usize {
        let mut times: Vec<i64> = self.log.lock().unwrap().iter().map(|(t, _)| *t).collect();
        times.sort_unstable();
        let within = |i: usize| times[i..].iter().take_while(|t| **t < times[i] + span).count();
        (0..times.len()).map(within).max().unwrap_or(0)
    }
}

/// What a platform really bears.
pub(super) struct Platform {
    /// Requests in any second.
    bears: usize,
    /// From when until when (ms since the beginning) it bears nothing at all.
    storm: std::ops::Range<i64>,
    served: Mutex<Vec<i64>>,
    pub refused: Mutex<Vec<i64>>,
}

impl Platform {
    fn new(bears: usize, storm: std::ops::Range<i64>) -> Arc<Platform> {
        Arc::new(Platform { bears, storm, served: Mutex::default(), refused: Mutex::default() })
    }

    fn answer(&self, now: i64) -> Result<(), Failure> {
        let mut served = self.served.lock().unwrap();
        let lately = served.iter().rev().take_while(|t| **t > now - 1_000).count();
        if self.storm.contains(&(now - T0)) || lately >= self.bears {
            self.refused.lock().unwrap().push(now - T0);
            let said = text!("slow down", "请放慢");
            return Err(Failure::new(Class::RateLimited, "HL-3030", said));
        }
        served.push(now);
        Ok(())
    }

    /// Requests that were served within a time (ms since the beginning).
    fn served(&self, within: std::ops::Range<i64>) -> usize {
        self.served.lock().unwrap().iter().filter(|t| within.contains(&(**t - T0))).count()
    }
}

const JST: &str = "requests_per_second = 5\nrequests_per_minute = 100";

#[test]
fn a_greedy_plan_gets_no_more_than_its_half() {
    for (limits, ms, minutes) in [
        (JST, 50, 5),
        (JST, 180, 5),
        ("requests_per_second = 5", 100, 1),
        ("requests_per_second = 1", 300, 1),
        ("requests_per_minute = 20", 100, 6),
        ("requests_per_minute = 100", 20, 3),
    ] {
        let b = Bench::new();
        b.play(minutes * 60_000, |b| {
            let account = b.account(limits, "here:1:1");
            b.plan(&account, "modest", 1, "/x", ms);
            b.plan(&account, "greedy", 8, "/x", ms);
        });
        let counts = b.counts();
        let (greedy, modest) = (counts["greedy"], counts["modest"]);
        // Each is within 1 of the half.
        assert!(greedy.abs_diff(modest) <= 2, "{limits}, {ms} ms: {greedy} and {modest}");
        assert!(greedy + modest > 40, "{limits}: {counts:?}");
    }
}

#[test]
fn ten_plans_share_evenly_and_never_exceed_the_limits() {
    let b = Bench::new();
    b.play(10 * 60_000, |b| {
        let account = b.account(JST, "here:1:1");
        for n in 0..10 {
            // Some with one reader, some with many.
            b.plan(&account, &format!("p{n}"), 1 + n % 8, "/x", 80);
        }
    });
    assert!(b.fullest(1_000) <= 5 && b.fullest(60_000) <= 100, "{} {}", b.fullest(1_000), b.fullest(60_000));
    let counts = b.counts();
    let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
    assert!(counts.len() == 10 && most - least <= 1, "{counts:?}");
    // Nothing of the budget is wasted either.
    let all: usize = counts.values().sum();
    assert!(all >= 980, "{all}");
}

#[test]
fn who_waits_for_an_interface_stands_in_nobodys_way() {
    let b = Bench::new();
    b.play(120_000, |b| {
        let account = b.account("requests_per_second = 5", "here:1:1");
        b.plan(&account, "a", 8, "slow", 50);
        b.plan(&account, "b", 1, "/x", 50);
    });
    let counts = b.counts();
    assert_eq!(counts["a"], 12);
    assert!(counts["b"] > 120 * 3, "{counts:?}");
}

#[test]
fn a_plan_alone_is_not_held_back() {
    let b = Bench::new();
    b.play(900, |b| {
        let account = b.account(JST, "here:1:1");
        b.plan(&account, "a", 8, "/x", 10);
    });
    assert_eq!(b.counts()["a"], 5, "a burst is sent at once");
}

#[test]
fn places_at_the_same_time_are_shared_evenly_too() {
    let b = Bench::new();
    b.play(60_000, |b| {
        let account = b.account("concurrency = 2", "here:1:1");
        b.plan(&account, "greedy", 8, "/x", 100);
        b.plan(&account, "modest", 2, "/x", 100);
    });
    let counts = b.counts();
    assert!(counts["greedy"].abs_diff(counts["modest"]) <= 2, "{counts:?}");
}

#[test]
fn a_process_that_waits_is_not_starved_by_another_one() {
    for limits in [JST, "requests_per_second = 1", "requests_per_minute = 20"] {
        let b = Bench::new();
        b.play(6 * 60_000, |b| {
            for (owner, plans) in [("here:1:1", 4), ("here:2:1", 2)] {
                let account = b.account(limits, owner);
                for n in 0..plans {
                    b.plan(&account, owner, 4 + n, "/x", 60);
                }
            }
            b.plan(&b.account(limits, "here:3:1"), "modest", 1, "/x", 60);
        });
        let counts = b.counts();
        let all: usize = counts.values().sum();
        // Three processes: each gets its third, whatever the number of its plans and readers.
        assert!(counts.values().all(|n| n * 7 >= all * 2), "{limits}: {counts:?}");
        let (second, minute) = (b.fullest(1_000), b.fullest(60_000));
        assert!(second <= 5 || limits.starts_with("requests_per_minute"), "{limits}: {second}");
        assert!(minute <= 100, "{limits}: {minute}");
    }
}

#[test]
fn a_platform_that_bears_less_than_it_declares_is_learned() {
    for limits in ["requests_per_second = 10", "concurrency = 8"] {
        let (b, platform) = (Bench::new(), Platform::new(4, 0..0));
        b.play(20 * 60_000, |b| {
            // Two processes learn together.
            for owner in ["here:1:1", "here:2:1"] {
                let account = b.account(limits, owner);
                b.throttled_plan(&account, owner, 4, &platform);
            }
        });
        let (served, refused) = (platform.served(0..20 * 60_000), platform.refused.lock().unwrap().len());
        // At least half of what it bears, and one answer in ten at most is a refusal.
        assert!(served > 20 * 60 * 4 / 2, "{limits}: {served} served");
        assert!(refused * 10 < served, "{limits}: {refused} refused, {served} served");
        assert!(b.fullest(1_000) <= 10 || limits.starts_with("concurrency"), "{}", b.fullest(1_000));
    }
}

#[test]
fn a_storm_passes_and_the_pace_is_regained() {
    let (b, platform) = (Bench::new(), Platform::new(100, 60_000..180_000));
    b.play(10 * 60_000, |b| {
        let account = b.account("requests_per_second = 5", "here:1:1");
        b.throttled_plan(&account, "a", 8, &platform);
    });
    let before = platform.served(10_000..60_000);
    assert!(before > 220, "{before}");
    // While it lasts, the platform is left alone: at most the floor of a twentieth, not five a second.
    let asked = platform.refused.lock().unwrap().len();
    assert!((8..=60).contains(&asked), "{asked}");
    let soon = platform.served(180_000..240_000);
    assert!(soon > 30, "{soon}");
    let after = platform.served(400_000..450_000);
    assert!(after > 220, "{after}");
    assert!(b.fullest(1_000) <= 5);
}

#[test]
fn one_throttle_answer_halves_the_pace() {
    let (b, platform) = (Bench::new(), Platform::new(100, 30_000..31_040));
    b.play(200_000, |b| {
        let account = b.account("requests_per_second = 5", "here:1:1");
        b.throttled_plan(&account, "a", 8, &platform);
    });
    assert!((1..=5).contains(&platform.refused.lock().unwrap().len()), "{:?}", platform.refused);
    let (half, whole) = (platform.served(32_500..40_500), platform.served(140_000..150_000));
    assert!((18..=20).contains(&half), "{half}");
    assert!((46..=50).contains(&whole), "{whole}");
}
