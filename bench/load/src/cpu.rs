//! CPU time and peak memory of the server's processes, as /proc tells them.

use std::error::Error;
use std::fs;
use std::ops::Sub;

/// What /proc/<pid>/stat counts in, whatever the kernel's own clock does.
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds, of all threads of all processes.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    pub user: f64,
    pub system: f64,
    /// The sum, finer than ticks.
    pub total: f64,
}

impl Sub for Cpu {
    type Output = Cpu;

    fn sub(self, before: Cpu) -> Cpu {
        Cpu {
            user: self.user - before.user,
            system: self.system - before.system,
            total: self.total - before.total,
        }
    }
}

/// What these processes have used until now. Threads that have ended are in the ticks alone.
pub fn read(pids: &[u32]) -> Result<Cpu, Box<dyn Error>> {
    let mut cpu = Cpu::default();
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> =
            stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
        cpu.user += ticks(11).ok_or("no user time")? / TICKS_A_SECOND;
        cpu.system += ticks(12).ok_or("no system time")? / TICKS_A_SECOND;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end at any time: then it has no more to tell.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let nanoseconds: f64 = text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0.0);
            cpu.total += nanoseconds / 1e9;
        }
    }
    Ok(cpu)
}
