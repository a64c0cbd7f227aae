//! The Node service: volumes are mounted, grown and measured.
//!
//! Kubelet repeats every call after each of its starts, so each one looks at the kernel's mounts first and does only
//! what is missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::capability::mount_flags;
use super::driver::Driver;
use super::fault::Fault;
use super::file_system;
use super::image::Image;
use super::loop_device;
use super::mount::{self, Mounts};
use super::proto::v1::node_server::Node;
use super::proto::v1::node_service_capability::{Rpc, Type, rpc};
use super::proto::v1::volume_usage::Unit;
use super::proto::v1::{
    NodeExpandVolumeRequest, NodeExpandVolumeResponse, NodeGetCapabilitiesRequest, NodeGetCapabilitiesResponse,
    NodeGetInfoRequest, NodeGetInfoResponse, NodeGetVolumeStatsRequest, NodeGetVolumeStatsResponse,
    NodePublishVolumeRequest, NodePublishVolumeResponse, NodeServiceCapability, NodeStageVolumeRequest,
    NodeStageVolumeResponse, NodeUnpublishVolumeRequest, NodeUnpublishVolumeResponse, NodeUnstageVolumeRequest,
    NodeUnstageVolumeResponse, VolumeUsage,
};
use super::size::signed;
use super::volume_id::VolumeId;

/// What this service offers.
const OFFERED: [rpc::Type; 4] = [
    rpc::Type::StageUnstageVolume,
    rpc::Type::ExpandVolume,
    rpc::Type::GetVolumeStats,
    rpc::Type::SingleNodeMultiWriter,
];

/// Answers for one driver.
#[derive(Debug)]
pub(crate) struct NodeService(pub(crate) Arc<Driver>);

impl NodeService {
    async fn stage(&self, request: NodeStageVolumeRequest) -> Result<(), Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        let staging = self.0.path(&request.staging_target_path)?;
        let flags = mount_flags(request.volume_capability.as_ref())?;
        let (driver, work_id) = (Arc::clone(&self.0), id.clone());
        self.0.locks.run(&id, async move { stage(&driver, &work_id, &staging, &flags).await }).await
    }

    async fn unstage(&self, request: NodeUnstageVolumeRequest) -> Result<(), Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        let staging = self.0.path(&request.staging_target_path)?;
        let (driver, work_id) = (Arc::clone(&self.0), id.clone());
        let work = async move {
            mount::unmount(&staging).await?;
            // A driver killed between attaching and mounting left a device that no unmount detaches.
            if let Some(image) = driver.images.find(&work_id)? {
                driver.release_unused(&image).await?;
            }
            Ok(())
        };
        self.0.locks.run(&id, work).await
    }

    async fn publish(&self, request: NodePublishVolumeRequest) -> Result<(), Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        let staging = self.0.path(&request.staging_target_path)?;
        let target = self.0.path(&request.target_path)?;
        mount_flags(request.volume_capability.as_ref())?;
        let (driver, work_id) = (Arc::clone(&self.0), id.clone());
        let work = async move { publish(&driver, &work_id, &staging, &target, request.readonly).await };
        self.0.locks.run(&id, work).await
    }

    async fn unpublish(&self, request: NodeUnpublishVolumeRequest) -> Result<(), Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        let target = self.0.path(&request.target_path)?;
        let work = async move {
            mount::unmount(&target).await?;
            match std::fs::remove_dir(&target) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::io("remove", &target)(error)),
                _ => Ok(()),
            }
        };
        self.0.locks.run(&id, work).await
    }

    async fn expand(&self, request: NodeExpandVolumeRequest) -> Result<Image, Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        let path = self.0.path(&request.volume_path)?;
        let (driver, work_id) = (Arc::clone(&self.0), id.clone());
        let work = async move {
            let image = driver.images.get(&work_id)?;
            driver.mount_at(&path, &image).await?.ok_or_else(|| not_mounted(&work_id, &path))?;
            grow(&image).await?;
            Ok(image)
        };
        let image = self.0.locks.run(&id, work).await?;
        tracing::info!(volume = %id, bytes = image.bytes, "the file system has grown");
        Ok(image)
    }

    /// Not under the volume's lock: statistics must not wait for a growth, nor change anything.
    async fn usage(&self, request: NodeGetVolumeStatsRequest) -> Result<Vec<VolumeUsage>, Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        let path = self.0.path(&request.volume_path)?;
        let image = self.0.images.get(&id)?;
        if self.0.mount_at(&path, &image).await?.is_none() {
            return Err(not_mounted(&id, &path));
        }
        let seen = file_system::usage(&path)?;
        let usage = |unit: Unit, total: u64, available: u64| VolumeUsage {
            available: signed(available),
            total: signed(total),
            used: signed(total.saturating_sub(available)),
            unit: unit.into(),
        };
        Ok(vec![
            usage(Unit::Bytes, seen.total_bytes, seen.available_bytes),
            usage(Unit::Inodes, seen.total_inodes, seen.free_inodes),
        ])
    }
}

async fn stage(driver: &Driver, id: &VolumeId, staging: &Path, flags: &[String]) -> Result<(), Fault> {
    let image = driver.images.get(id)?;
    if driver.mount_at(staging, &image).await?.is_none() {
        let device = loop_device::attach(&image).await?;
        let mounted = mount::mount(&device.path, staging, flags).await;
        // From here on the kernel detaches the device at the last unmount, or at once if the mount failed.
        loop_device::release(&device).await?;
        mounted?;
        tracing::info!(volume = %id, device = %device.path.display(), "the volume is mounted");
    }
    grow(&image).await
}

async fn publish(driver: &Driver, id: &VolumeId, staging: &Path, target: &Path, readonly: bool) -> Result<(), Fault> {
    let image = driver.images.get(id)?;
    if driver.mount_at(staging, &image).await?.is_none() {
        return Err(Fault::Precondition(format!(
            "volume {id} is not mounted at {}: stage it there before publishing it",
            staging.display()
        )));
    }
    let present = driver.mount_at(target, &image).await?;
    if present.is_none() {
        mount::bind(staging, target).await?;
    }
    let is_read_only = present.is_some_and(|mount| mount.read_only);
    match (is_read_only, readonly) {
        (false, true) => mount::make_read_only(target).await,
        (true, false) => Err(Fault::Exists(format!(
            "volume {id} is published read-only at {}: unpublish it there first",
            target.display()
        ))),
        _ => Ok(()),
    }
}

/// Grows a mounted volume to the size of its image, wherever it is mounted.
async fn grow(image: &Image) -> Result<(), Fault> {
    let device = loop_device::find(image).await?;
    let mounts = Mounts::read()?;
    let mounted = device.and_then(|device| mounts.of(&device.number).map(|mount| (device, mount.path.clone())));
    let (device, path): (_, PathBuf) = mounted.ok_or_else(|| {
        Fault::Precondition(format!("{} has no writable mount of all of it: stage the volume", image.path.display()))
    })?;
    loop_device::refresh(&device).await?;
    file_system::grow(&path).await
}

fn not_mounted(id: &VolumeId, path: &Path) -> Fault {
    Fault::NotMounted(format!("volume {id} is not mounted at {}: stage or publish it there first", path.display()))
}

#[tonic::async_trait]
impl Node for NodeService {
    async fn node_stage_volume(
        &self,
        request: Request<NodeStageVolumeRequest>,
    ) -> Result<Response<NodeStageVolumeResponse>, Status> {
        self.stage(request.into_inner()).await?;
        Ok(Response::new(NodeStageVolumeResponse {}))
    }

    async fn node_unstage_volume(
        &self,
        request: Request<NodeUnstageVolumeRequest>,
    ) -> Result<Response<NodeUnstageVolumeResponse>, Status> {
        self.unstage(request.into_inner()).await?;
        Ok(Response::new(NodeUnstageVolumeResponse {}))
    }

    async fn node_publish_volume(
        &self,
        request: Request<NodePublishVolumeRequest>,
    ) -> Result<Response<NodePublishVolumeResponse>, Status> {
        self.publish(request.into_inner()).await?;
        Ok(Response::new(NodePublishVolumeResponse {}))
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<NodeUnpublishVolumeRequest>,
    ) -> Result<Response<NodeUnpublishVolumeResponse>, Status> {
        self.unpublish(request.into_inner()).await?;
        Ok(Response::new(NodeUnpublishVolumeResponse {}))
    }

    async fn node_get_volume_stats(
        &self,
        request: Request<NodeGetVolumeStatsRequest>,
    ) -> Result<Response<NodeGetVolumeStatsResponse>, Status> {
        let usage = self.usage(request.into_inner()).await?;
        Ok(Response::new(NodeGetVolumeStatsResponse { usage }))
    }

    async fn node_expand_volume(
        &self,
        request: Request<NodeExpandVolumeRequest>,
    ) -> Result<Response<NodeExpandVolumeResponse>, Status> {
        let image = self.expand(request.into_inner()).await?;
        Ok(Response::new(NodeExpandVolumeResponse { capacity_bytes: signed(image.bytes) }))
    }

    async fn node_get_capabilities(
        &self,
        _request: Request<NodeGetCapabilitiesRequest>,
    ) -> Result<Response<NodeGetCapabilitiesResponse>, Status> {
        let capability =
            |kind: rpc::Type| NodeServiceCapability { r#type: Some(Type::Rpc(Rpc { r#type: kind.into() })) };
        Ok(Response::new(NodeGetCapabilitiesResponse { capabilities: OFFERED.map(capability).to_vec() }))
    }

    async fn node_get_info(
        &self,
        _request: Request<NodeGetInfoRequest>,
    ) -> Result<Response<NodeGetInfoResponse>, Status> {
        let node_id = self.0.node_id.clone();
        let accessible_topology = Some(self.0.topology());
        Ok(Response::new(NodeGetInfoResponse { node_id, accessible_topology, ..NodeGetInfoResponse::default() }))
    }
}
