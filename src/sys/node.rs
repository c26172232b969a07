//! Node-API calls that napi-rs does not wrap.

use napi::bindgen_prelude::Float64ArraySlice;
use napi::threadsafe_function::ThreadsafeFunctionHandle;
use napi::{check_status, sys, Env, Result};

/// Makes `function` keep the event loop of its environment alive (`napi_ref_threadsafe_function`).
pub fn hold_loop(env: &Env, function: &ThreadsafeFunctionHandle) -> Result<()> {
    // SAFETY: `Env` exists on the JS thread only, and the handle is alive as long as its borrow.
    check_status!(unsafe { sys::napi_ref_threadsafe_function(env.raw(), function.get_raw()) })
}

/// Takes back [`hold_loop`] (`napi_unref_threadsafe_function`).
pub fn release_loop(env: &Env, function: &ThreadsafeFunctionHandle) -> Result<()> {
    // SAFETY: as in `hold_loop`.
    check_status!(unsafe { sys::napi_unref_threadsafe_function(env.raw(), function.get_raw()) })
}

/// Writes numbers to the beginning of a typed array of JavaScript's.
pub fn write_numbers(array: &mut Float64ArraySlice, numbers: &[f64]) {
    // SAFETY: JavaScript waits in the call that the array is an argument of: nobody else reads or writes it.
    let target = unsafe { array.as_mut() };
    for (place, number) in target.iter_mut().zip(numbers) {
        *place = *number;
    }
}
