//! Models: small programs, in which the threads that share something are tried in many orders.
//!
//! Nothing goes wrong but what the order brings about: each system call, lock and atomic is a point where another
//! thread may go on. Three ways to choose: at random, by priorities that change at a few points (PCT), and one after the
//! other, depth first, up to a bound.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{thread, Runner};

use crate::disk::Disk;
use crate::inode::Kind;
use crate::kernel::{self, Kernel};
use crate::odds::Odds;
use crate::plan::{Connection, Environment, File, List, Part, Plan, Request};
use crate::random::Random;
use crate::reactor::Reactor;
use crate::run::{run_after, settle};
use crate::search::{config, Report};

/// Changes of priority in one order, of PCT.
const DEPTHS: [usize; 2] = [2, 4];

/// A name, and a program.
pub type Model = (&'static str, fn());

pub const MODELS: [Model; 10] = [
    ("a cold file, and the room it waits for", cold),
    ("a transfer is cancelled at once", cancelled),
    ("a transfer is cancelled soon", cancelled_soon),
    ("the last bytes are handed back", tail),
    ("the last bytes are handed back, or it is cancelled", tail_cancelled),
    ("no descriptor for the engine: driven, or cancelled", driven),
    ("an environment closes", closes),
    ("two environments, and one closes", one_of_two_closes),
    ("a watch fires, or is cancelled", watch),
    ("work for the disk's threads from two others", disk),
];

/// Tries each model in `count` orders of each kind. Prints those that fail.
pub fn check(count: usize, seed: u64) -> Report {
    let mut report = Report::default();
    for (name, model) in MODELS {
        let before = report.cases;
        let mut fails = false;
        fails |= tried(&mut report, model, RandomScheduler::new_from_seed(seed, count));
        for depth in DEPTHS {
            fails |=
                tried(&mut report, model, PctScheduler::new_from_seed(seed, depth, count / DEPTHS.len()));
        }
        fails |= tried(&mut report, model, DfsScheduler::new(Some(count), false));
        println!("model: {name}: {} orders{}", report.cases - before, if fails { ": finding" } else { "" });
        if fails {
            println!("replay: simulation models {count} {seed}");
            report.findings.push(seed);
        }
    }
    report
}

/// Lets nobody wake up without a cause: depth first, that would go on for ever.
struct Asleep<S>(S);

impl<S: Scheduler> Scheduler for Asleep<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.0.new_execution()
    }

    fn next_task(&mut self, tasks: &[&Task], current: Option<TaskId>, yields: bool) -> Option<TaskId> {
        let runnable: Vec<&Task> = tasks.iter().copied().filter(|task| task.runnable()).collect();
        self.0.next_task(&runnable, current, yields)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

fn tried(report: &mut Report, model: fn(), scheduler: impl Scheduler + 'static) -> bool {
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    let run = move || {
        model();
        counted.fetch_add(1, Ordering::Relaxed);
    };
    let fails = catch_unwind(AssertUnwindSafe(|| Runner::new(Asleep(scheduler), config()).run(run))).is_err();
    report.cases += orders.load(Ordering::Relaxed) as u64 + u64::from(fails);
    fails
}

const FILE: u64 = 150_000;

fn region(len: u64) -> Part {
    Part::Region { file: 0, offset: 0, len }
}

fn list(parts: Vec<Part>, holds_tail: bool, patience: Option<u32>) -> Request {
    Request::List(List { parts, holds_tail, may_copy: true, patience })
}

fn plan(warm: bool, requests: Vec<Request>) -> Plan {
    Plan {
        odds: Odds { pause: 1000, ..Odds::default() },
        inodes: vec![File { kind: Kind::Counted, len: FILE, warm }],
        environments: vec![Environment {
            connections: vec![Connection { capacity: 100_000, requests }],
            closes: None,
        }],
    }
}

fn cold() {
    run_after(
        plan(false, vec![list(vec![Part::Bytes(100), region(FILE)], false, None)]),
        Random::new(0),
        |_| {},
    );
}

fn cancelled() {
    run_after(plan(false, vec![list(vec![region(FILE)], false, Some(0))]), Random::new(0), |_| {});
}

fn cancelled_soon() {
    run_after(plan(false, vec![list(vec![region(FILE)], false, Some(3))]), Random::new(0), |_| {});
}

fn tail() {
    run_after(plan(true, vec![list(vec![region(FILE)], true, None)]), Random::new(0), |_| {});
}

fn tail_cancelled() {
    run_after(plan(true, vec![list(vec![region(FILE)], true, Some(4))]), Random::new(0), |_| {});
}

fn driven() {
    let plan = plan(false, vec![list(vec![region(FILE)], true, Some(4))]);
    run_after(plan, Random::new(0), |kernel| kernel.odds.no_descriptor = 1000);
}

fn closes() {
    let mut plan = plan(false, vec![list(vec![region(FILE)], true, None)]);
    plan.environments[0].closes = Some(2);
    run_after(plan, Random::new(0), |_| {});
}

fn one_of_two_closes() {
    let mut plan = plan(false, vec![list(vec![region(FILE)], false, None)]);
    let mut other = plan.environments[0].clone();
    other.closes = Some(3);
    plan.environments.push(other);
    run_after(plan, Random::new(0), |_| {});
}

fn watch() {
    run_after(plan(true, vec![Request::Watch { patience: Some(1) }]), Random::new(0), |_| {});
}

/// Every work is done once, at most half of the threads are at one device, and none is left behind.
fn disk() {
    const EACH: usize = 5;
    kernel::begin(Kernel::new(Odds::default(), Random::new(0)));
    let done = Arc::new(AtomicUsize::new(0));
    let at_device = Arc::new(AtomicUsize::new(0));
    let main = thread::current();
    let submitters: Vec<_> = (0..2_u64)
        .map(|device| {
            let (done, at_device, main) = (Arc::clone(&done), Arc::clone(&at_device), main.clone());
            thread::spawn(move || {
                for _ in 0..EACH {
                    let (done, at_device, main) = (Arc::clone(&done), Arc::clone(&at_device), main.clone());
                    let work = move || {
                        if device == 0 {
                            assert!(
                                at_device.fetch_add(1, Ordering::Relaxed) < 4,
                                "a device takes more than half"
                            );
                            thread::yield_now();
                            at_device.fetch_sub(1, Ordering::Relaxed);
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                        main.unpark();
                    };
                    assert!(Disk::shared().submit(device, Box::new(work)).is_ok(), "there are threads");
                }
            })
        })
        .collect();
    for submitter in submitters {
        assert!(submitter.join().is_ok(), "a submitter has panicked");
    }
    while done.load(Ordering::Relaxed) < 2 * EACH {
        thread::park();
    }
    assert!(Reactor::started().is_empty(), "nobody waits for a socket");
    settle();
    assert!(done.load(Ordering::Relaxed) == 2 * EACH, "work was done twice");
}
