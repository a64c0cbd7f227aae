//! One call at a time per volume, and every call to its end.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as Turn;

use super::fault::Fault;
use super::volume_id::VolumeId;

/// Hands out turns per volume.
#[derive(Debug, Default)]
pub(crate) struct VolumeLocks {
    turns: Mutex<HashMap<VolumeId, Arc<Turn<()>>>>,
}

impl VolumeLocks {
    /// Waits for the volume's turn, then runs `work` in a task of its own.
    ///
    /// A caller that hangs up does not stop it: a mount cut in two could leave a second loop device behind.
    pub(crate) async fn run<T, F>(&self, id: &VolumeId, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let turn = self.turn(id);
        let task = tokio::spawn(async move {
            let _held = turn.lock_owned().await;
            work.await
        });
        task.await.map_err(|error| Fault::Internal(format!("the work on volume {id} broke off: {error}")))?
    }

    fn turn(&self, id: &VolumeId) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(id.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::VolumeLocks;
    use crate::csi::volume_id::VolumeId;

    #[tokio::test]
    async fn calls_for_one_volume_follow_each_other() {
        let locks = Arc::new(VolumeLocks::default());
        let id = VolumeId::parse("a").unwrap();
        let inside = Arc::new(AtomicUsize::new(0));
        let calls = (0..8).map(|_| {
            let (locks, id, inside) = (Arc::clone(&locks), id.clone(), Arc::clone(&inside));
            async move {
                let work = async move {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                };
                locks.run(&id, work).await
            }
        });
        for result in futures::future::join_all(calls).await {
            result.unwrap();
        }
        assert!(locks.turns.lock().unwrap().len() <= 1);
    }

    #[tokio::test]
    async fn two_volumes_do_not_wait_for_each_other() {
        let locks = VolumeLocks::default();
        let (first, second) = (VolumeId::parse("a").unwrap(), VolumeId::parse("b").unwrap());
        let (send, receive) = oneshot::channel();
        let waiting = locks.run(&first, async move { Ok(receive.await.is_ok()) });
        let sending = locks.run(&second, async move { Ok(send.send(()).is_ok()) });
        assert_eq!(futures::future::join(waiting, sending).await.0.ok(), Some(true));
    }

    #[tokio::test]
    async fn work_ends_though_its_caller_hung_up() {
        let locks = VolumeLocks::default();
        let id = VolumeId::parse("a").unwrap();
        let (start, started) = oneshot::channel();
        let (go_on, gone_on) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let work = async move {
            let _ = start.send(());
            let _ = gone_on.await;
            let _ = done.send(());
            Ok(())
        };
        tokio::select! {
            _ = locks.run(&id, work) => unreachable!("the work waits for us"),
            _ = started => {}
        }
        go_on.send(()).unwrap();
        finished.await.unwrap();
    }
}
