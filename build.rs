//! Link settings of the addon.

fn main() {
    napi_build::setup();

    // The reactor's thread outlives the environment that loaded the addon: when only a worker
    // loaded it, unloading with that worker would take the code away from under the thread.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-link-arg-cdylib=-Wl,-z,nodelete");
    }
}
