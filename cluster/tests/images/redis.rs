use crate::container::{Container, Pod, until};
use crate::{can_run, image};

#[test]
fn redis_asks_for_a_password_with_an_apostrophe_and_writes_to_data() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let redis = Container::new(&pod, image("redis"), "999:999").with("REDISCLI_AUTH", "o'clock");
    let server = redis.start(&["docker-entrypoint.sh", "--requirepass", "o'clock", "--appendonly", "yes"]);
    until("redis answers", || redis.run(&["redis-cli", "ping"]).1.contains("PONG"));
    // From another address than loopback: protected mode is off, as upstream.
    let (_, answer) = redis.run(&["redis-cli", "-h", "10.89.250.1", "set", "key", "value"]);
    assert_eq!(answer, "OK\n");
    server.kill();

    let _again = redis.start(&["docker-entrypoint.sh", "--requirepass", "o'clock", "--appendonly", "yes"]);
    until("redis has its data again", || redis.run(&["redis-cli", "get", "key"]).1 == "value\n");
    assert!(redis.path("/data/appendonlydir").is_dir());
}
