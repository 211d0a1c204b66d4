//! The real program, killed again and again (`kill -9`), with a real ledger, a real MariaDB and stand-ins of platforms;
//! then an oracle that compares, row by row, what the platforms hold with what the targets hold.
//!
//! A round follows from its seed: rows, changes, tokens that end, and at which moment each start is killed. What the
//! machine makes of these moments differs from time to time, so a round is repeated, not replayed.

mod moment;
mod oracle;
pub mod proxy;
pub mod recorder;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use heliu_testkit::mariadb::MariaDb;
use heliu_testkit::rng::Rng;

pub use moment::Moment;
pub use oracle::Damage;
pub use world::PLANS;
use world::World;

/// What goes wrong in the torture itself, in words.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Kills of one round.
pub const KILLS: u64 = 50;
/// So many starts without a kill at most: the moments were never met.
const STARTS: u64 = 8 * KILLS;

/// What a round, or several, came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rounds.
    pub rounds: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// By the moment that was aimed at.
    pub moments: BTreeMap<&'static str, u64>,
    /// Processes that came to their end.
    pub ended: u64,
    /// Times that a person had to authorise again.
    pub authorised: u64,
    /// Records that came into doubt, and were said to be.
    pub doubted: u64,
    /// Of these, those that a person had to put back because they were not there.
    pub put_back: u64,
    /// Rows that the oracle compared.
    pub rows: u64,
    /// Certificates that it added up.
    pub certificates: u64,
    /// Rows that are missing in a target, or are there with older values.
    pub lost: Vec<String>,
    /// Rows that are there, or were delivered, more than once.
    pub doubled: Vec<String>,
    /// Certificates that do not add up, records in a state that nothing explains.
    pub wrong: Vec<String>,
}

impl Tally {
    /// Nothing was lost, nothing doubled, everything adds up.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.wrong.is_empty()
    }

    /// Adds another one.
    pub fn add(&mut self, other: Tally) {
        self.rounds += other.rounds;
        self.kills += other.kills;
        self.ended += other.ended;
        self.authorised += other.authorised;
        self.doubted += other.doubted;
        self.put_back += other.put_back;
        self.rows += other.rows;
        self.certificates += other.certificates;
        for (moment, n) in other.moments {
            *self.moments.entry(moment).or_default() += n;
        }
        self.lost.extend(other.lost);
        self.doubled.extend(other.doubled);
        self.wrong.extend(other.wrong);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let moments: Vec<String> = self.moments.iter().map(|(m, n)| format!("{m} {n}")).collect();
        write!(
            f,
            "{} rounds, {} kills ({}), {} processes that ended by themselves, {} re-authorisations, {} records in \
             doubt ({} put back), {} rows compared, {} certificates; lost {}, doubled {}, wrong {}",
            self.rounds,
            self.kills,
            moments.join(", "),
            self.ended,
            self.authorised,
            self.doubted,
            self.put_back,
            self.rows,
            self.certificates,
            self.lost.len(),
            self.doubled.len(),
            self.wrong.len()
        )?;
        for (what, list) in [("lost", &self.lost), ("doubled", &self.doubled), ("wrong", &self.wrong)] {
            for line in list.iter().take(10) {
                write!(f, "\n  {what}: {line}")?;
            }
        }
        Ok(())
    }
}

/// A fail point of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Its name.
    pub at: &'static str,
    /// At which passage the process dies (from 1).
    pub nth: u64,
    /// There is new work before the start, and no token is valid any more.
    pub fresh: bool,
}

/// Where the program and the database are.
#[derive(Debug, Clone)]
pub struct Rack {
    program: PathBuf,
    db: &'static MariaDb,
}

impl Rack {
    /// Around this `program`.
    pub fn new(program: &Path, db: &'static MariaDb) -> Rack {
        Rack { program: program.to_owned(), db }
    }

    /// One round: [`KILLS`] kills, then the comparison.
    ///
    /// # Errors
    /// The round could not be played: nothing is known then.
    pub async fn round(&self, seed: u64) -> Result<Tally, Trouble> {
        self.play(seed, KILLS, None).await
    }

    /// A short round with damage done to it: the oracle must notice.
    ///
    /// # Errors
    /// As [`Rack::round`].
    pub async fn spoiled(&self, seed: u64, damage: Damage) -> Result<Tally, Trouble> {
        self.play(seed, 2, Some(damage)).await
    }

    /// Starts some of [`PLANS`] again and again, each time with one of these fail points that lets the process die at
    /// its `n`th passage; then without, and compares. Gives the points that were never passed, too.
    ///
    /// # Errors
    /// As [`Rack::round`].
    pub async fn points(
        &self,
        plans: &[&'static str],
        points: &[Point],
    ) -> Result<(Tally, Vec<Point>), Trouble> {
        let mut rng = Rng::new(1);
        let mut world = World::new(&self.program, self.db, &mut rng, plans, Some(12)).await?;
        let (mut tally, mut missed) = (Tally { rounds: 1, ..Tally::default() }, Vec::new());
        for point in points {
            let moment = Moment::Point(point.at, point.nth);
            if point.fresh {
                world.more(&mut rng)?;
            }
            // A second start, where the first one could only say that a person must authorise again.
            if world.life(Some(&moment), &mut tally).await? || world.life(Some(&moment), &mut tally).await? {
                tally.kills += 1;
            } else {
                missed.push(*point);
            }
        }
        world.settle(&mut tally).await?;
        world.judge(&mut tally).await?;
        Ok((tally, missed))
    }

    async fn play(&self, seed: u64, kills: u64, damage: Option<Damage>) -> Result<Tally, Trouble> {
        let mut rng = Rng::new(seed);
        let mut world = World::new(&self.program, self.db, &mut rng, &PLANS, None).await?;
        let mut tally = Tally { rounds: 1, ..Tally::default() };
        let mut starts = 0;
        while tally.kills < kills {
            starts += 1;
            if starts > STARTS {
                return Err(format!("seed {seed}: only {} kills in {STARTS} starts", tally.kills).into());
            }
            world.change(&mut rng)?;
            let moment = Moment::pick(&mut rng, world.usual);
            if world.life(Some(&moment), &mut tally).await? {
                tally.kills += 1;
                *tally.moments.entry(moment.name()).or_default() += 1;
            }
            if !tally.wrong.is_empty() {
                break;
            }
        }
        world.settle(&mut tally).await?;
        if let Some(damage) = damage {
            world.damage(damage).await?;
        }
        world.judge(&mut tally).await?;
        for list in [&mut tally.lost, &mut tally.doubled, &mut tally.wrong] {
            list.iter_mut().for_each(|line| *line = format!("seed {seed}: {line}"));
        }
        if !tally.is_clean() && damage.is_none() {
            world.keep();
        }
        Ok(tally)
    }

    /// Rounds from `seed` on, `at_once` at the same time, as long as there are to be `more`: it is told what the
    /// finished ones came to, and how many have begun.
    ///
    /// # Errors
    /// As [`Rack::round`].
    pub async fn rounds(
        &self,
        seed: u64,
        at_once: usize,
        mut more: impl FnMut(&Tally, u64) -> bool,
    ) -> Result<Tally, Trouble> {
        let (mut all, mut begun) = (Tally::default(), 0);
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            while tasks.len() < at_once && more(&all, begun) {
                let (rack, seed) = (self.clone(), seed + begun);
                tasks.spawn(async move { rack.round(seed).await });
                begun += 1;
            }
            match tasks.join_next().await {
                Some(played) => all.add(played??),
                None => return Ok(all),
            }
        }
    }
}
