//! One run: environments, their peers, and the rest that has to come.

use shuttle::thread;

use crate::disk::Disk;
use crate::inode::Inode;
use crate::javascript;
use crate::kernel::{self, Kernel};
use crate::plan::Plan;
use crate::random::Random;
use crate::reactor::Reactor;
use crate::schedule;

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub faults: u64,
    pub bytes: u64,
}

/// The run of the seed that the scheduler has.
pub fn seeded() -> Outcome {
    let mut random = Random::new(schedule::seed());
    let plan = Plan::of(&mut random);
    if std::env::var_os("SEED").is_some() {
        println!("{plan:#?}"); // a run that is replayed
    }
    run(plan, random)
}

/// Runs a plan to its end, and requires that nothing is left.
pub fn run(plan: Plan, random: Random) -> Outcome {
    begin(&plan, random);
    go_on(plan)
}

/// The same when there is a reactor already, and something is changed then.
pub fn run_after(plan: Plan, random: Random, change: impl FnOnce(&mut Kernel)) {
    begin(&plan, random);
    assert!(Reactor::shared().is_ok(), "there is a reactor");
    kernel::with(change);
    go_on(plan);
}

fn begin(plan: &Plan, random: Random) {
    let mut kernel = Kernel::new(plan.odds.clone(), random);
    for (number, file) in plan.inodes.iter().enumerate() {
        kernel.add_inode(Inode::new(file.kind, number as u64, file.len, file.warm));
    }
    kernel::begin(kernel);
    thread::spawn(peers);
}

fn go_on(plan: Plan) -> Outcome {
    let environments = plan.environments.into_iter().enumerate();
    let environments: Vec<_> = environments
        .map(|(number, plan)| thread::spawn(move || javascript::environment(number, plan)))
        .collect();
    for environment in environments {
        if environment.join().is_err() {
            panic!("an environment has panicked");
        }
    }
    rest();
    let outcome = kernel::with(|kernel| Outcome { faults: kernel.injected.faults(), bytes: kernel.verified });
    settle();
    outcome
}

/// Lets all threads end.
pub fn settle() {
    kernel::with(Kernel::end);
    // The disk's threads look up when there is work.
    let _ = Disk::shared().submit(0, Box::new(|| {}));
}

/// Waits until all is closed. If it never is, nobody is left who could run: the scheduler calls that a deadlock.
fn rest() {
    kernel::with(|kernel| kernel.tell_of_rest(thread::current()));
    while kernel::with(|kernel| !kernel.left_open().is_empty() || kernel.registered() > 0) {
        thread::park();
    }
}

/// Those who read at the other ends.
fn peers() {
    kernel::with(|kernel| kernel.set_peer(thread::current()));
    while !kernel::with(|kernel| kernel.is_over) {
        if !kernel::call(Kernel::drain) {
            thread::park();
        }
    }
}
