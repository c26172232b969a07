//! Link settings of the addon.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return; // there is nothing to link: see src/lib.rs
    }
    napi_build::setup();

    // The reactor's thread outlives the environment that loaded the addon: when only a worker
    // loaded it, unloading with that worker would take the code away from under the thread.
    println!("cargo:rustc-link-arg-cdylib=-Wl,-z,nodelete");
}
