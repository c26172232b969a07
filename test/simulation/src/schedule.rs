//! Which thread goes next: one run for each seed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

use crate::random::Random;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// The seed of the run that goes on on this thread.
pub fn seed() -> u64 {
    SEED.get()
}

enum Manner {
    /// Any of them.
    Any,
    /// The same again, as a rule.
    Steady,
    /// By priorities, that change now and then (as PCT).
    Priorities(BTreeMap<usize, u64>),
}

/// Takes seeds from a counter that is shared by all processors.
pub struct Seeds {
    next: Arc<AtomicU64>,
    end: u64,
    random: Random,
    manner: Manner,
}

impl Seeds {
    /// Up to and without `end`.
    pub fn new(next: Arc<AtomicU64>, end: u64) -> Self {
        Self { next, end, random: Random::new(0), manner: Manner::Any }
    }
}

impl Scheduler for Seeds {
    fn new_execution(&mut self) -> Option<Schedule> {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        if seed >= self.end {
            return None;
        }
        SEED.set(seed);
        self.random = Random::new(!seed);
        self.manner = match self.random.below(3) {
            0 => Manner::Any,
            1 => Manner::Steady,
            _ => Manner::Priorities(BTreeMap::new()),
        };
        Some(Schedule::new(seed))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, _yields: bool) -> Option<TaskId> {
        let any = runnable[self.random.below(runnable.len() as u64) as usize].id();
        let random = &mut self.random;
        Some(match &mut self.manner {
            Manner::Any => any,
            Manner::Steady => {
                let stays = random.chance(850);
                current
                    .filter(|current| stays && runnable.iter().any(|task| task.id() == *current))
                    .unwrap_or(any)
            }
            Manner::Priorities(priorities) => {
                if random.chance(20) {
                    priorities.insert(usize::from(any), random.number());
                }
                let mut priority =
                    |task: &&&Task| *priorities.entry(task.id().into()).or_insert_with(|| random.number());
                runnable.iter().max_by_key(&mut priority).map_or(any, |task| task.id())
            }
        })
    }

    fn next_u64(&mut self) -> u64 {
        self.random.number()
    }
}
