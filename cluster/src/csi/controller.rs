//! The Controller service: volumes are made, lengthened and deleted.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::capability::{require_no_parameters, require_offered};
use super::driver::Driver;
use super::fault::Fault;
use super::image::Image;
use super::proto::v1::controller_server::Controller;
use super::proto::v1::controller_service_capability::{Rpc, Type, rpc};
use super::proto::v1::validate_volume_capabilities_response::Confirmed;
use super::proto::v1::{
    ControllerExpandVolumeRequest, ControllerExpandVolumeResponse, ControllerGetCapabilitiesRequest,
    ControllerGetCapabilitiesResponse, ControllerServiceCapability, CreateVolumeRequest, CreateVolumeResponse,
    DeleteVolumeRequest, DeleteVolumeResponse, GetCapacityRequest, GetCapacityResponse,
    ValidateVolumeCapabilitiesRequest, ValidateVolumeCapabilitiesResponse, Volume,
};
use super::size::{BLOCK, SMALLEST, Wanted, signed};
use super::volume_id::VolumeId;

/// What this service offers.
const OFFERED: [rpc::Type; 4] =
    [rpc::Type::CreateDeleteVolume, rpc::Type::ExpandVolume, rpc::Type::GetCapacity, rpc::Type::SingleNodeMultiWriter];

/// Answers for one driver.
#[derive(Debug)]
pub(crate) struct ControllerService(pub(crate) Arc<Driver>);

impl ControllerService {
    async fn create(&self, request: CreateVolumeRequest) -> Result<Volume, Fault> {
        let (id, wanted) = self.check_creation(&request)?;
        let driver = Arc::clone(&self.0);
        let (name, work_id) = (id.to_string(), id.clone());
        let image = self.0.locks.run(&id, async move { find_or_create(&driver, &work_id, wanted).await }).await?;
        tracing::info!(volume = name, bytes = image.bytes, "the volume exists");
        Ok(Volume {
            capacity_bytes: signed(image.bytes),
            volume_id: name,
            accessible_topology: vec![self.0.topology()],
            ..Volume::default()
        })
    }

    fn check_creation(&self, request: &CreateVolumeRequest) -> Result<(VolumeId, Wanted), Fault> {
        let id = VolumeId::parse(&request.name)?;
        require_offered(&request.volume_capabilities)?;
        require_no_parameters(&request.parameters)?;
        if request.volume_content_source.is_some() {
            return Err(Fault::Invalid(
                "copies and snapshots are not offered: take the PVC's dataSource away".to_owned(),
            ));
        }
        let requisite = request.accessibility_requirements.as_ref().map_or(&[][..], |asked| &asked.requisite);
        if !requisite.is_empty() && !requisite.iter().any(|topology| self.0.is_here(topology)) {
            return Err(Fault::Exhausted(format!(
                "volumes of this driver live on node {}, which the request does not allow",
                self.0.node_id
            )));
        }
        Ok((id, Wanted::parse(request.capacity_range.as_ref())?))
    }

    async fn delete(&self, request: DeleteVolumeRequest) -> Result<(), Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        let (driver, work_id) = (Arc::clone(&self.0), id.clone());
        self.0.locks.run(&id, async move { driver.delete(&work_id).await }).await?;
        tracing::info!(volume = %id, "the volume is deleted");
        Ok(())
    }

    async fn expand(&self, request: ControllerExpandVolumeRequest) -> Result<Image, Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        if request.volume_capability.is_some() {
            require_offered(request.volume_capability.as_slice())?;
        }
        if request.capacity_range.is_none() {
            return Err(Fault::Invalid("the request names no size to grow to".to_owned()));
        }
        let wanted = Wanted::parse(request.capacity_range.as_ref())?;
        let (driver, work_id) = (Arc::clone(&self.0), id.clone());
        let image = self.0.locks.run(&id, async move { driver.images.grow(&work_id, wanted.bytes).await }).await?;
        tracing::info!(volume = %id, bytes = image.bytes, "the image has its new size; the node grows the file system");
        Ok(image)
    }

    fn validate(
        &self,
        request: ValidateVolumeCapabilitiesRequest,
    ) -> Result<ValidateVolumeCapabilitiesResponse, Fault> {
        let id = VolumeId::parse(&request.volume_id)?;
        if request.volume_capabilities.is_empty() {
            return Err(Fault::Invalid("the request names no volume capability".to_owned()));
        }
        self.0.images.get(&id)?;
        let checked = require_offered(&request.volume_capabilities)
            .and_then(|()| require_no_parameters(&request.parameters))
            .map(|()| Confirmed {
                volume_context: request.volume_context,
                volume_capabilities: request.volume_capabilities,
                parameters: request.parameters,
            });
        // By the standard a mismatch is an answer, not an error.
        Ok(match checked {
            Ok(confirmed) => ValidateVolumeCapabilitiesResponse { confirmed: Some(confirmed), message: String::new() },
            Err(mismatch) => ValidateVolumeCapabilitiesResponse { confirmed: None, message: mismatch.to_string() },
        })
    }

    fn capacity(&self, request: &GetCapacityRequest) -> Result<u64, Fault> {
        let here = request.accessible_topology.as_ref().is_none_or(|topology| self.0.is_here(topology));
        let offered = request.volume_capabilities.is_empty() || require_offered(&request.volume_capabilities).is_ok();
        if !here || !offered || require_no_parameters(&request.parameters).is_err() {
            return Ok(0);
        }
        let free = self.0.images.free()?;
        Ok(if free < SMALLEST { 0 } else { free - free % BLOCK })
    }
}

/// The standard's idempotence: the same name and a fitting size are the same volume.
async fn find_or_create(driver: &Driver, id: &VolumeId, wanted: Wanted) -> Result<Image, Fault> {
    match driver.images.find(id)? {
        Some(image) if wanted.is_met_by(image.bytes) => Ok(image),
        Some(image) => Err(Fault::Exists(format!(
            "volume {id} exists with {} bytes, {} are asked for: use another name or expand it",
            image.bytes, wanted.bytes
        ))),
        None => driver.images.create(id, wanted.bytes).await,
    }
}

#[tonic::async_trait]
impl Controller for ControllerService {
    async fn create_volume(
        &self,
        request: Request<CreateVolumeRequest>,
    ) -> Result<Response<CreateVolumeResponse>, Status> {
        let volume = self.create(request.into_inner()).await?;
        Ok(Response::new(CreateVolumeResponse { volume: Some(volume) }))
    }

    async fn delete_volume(
        &self,
        request: Request<DeleteVolumeRequest>,
    ) -> Result<Response<DeleteVolumeResponse>, Status> {
        self.delete(request.into_inner()).await?;
        Ok(Response::new(DeleteVolumeResponse {}))
    }

    async fn validate_volume_capabilities(
        &self,
        request: Request<ValidateVolumeCapabilitiesRequest>,
    ) -> Result<Response<ValidateVolumeCapabilitiesResponse>, Status> {
        Ok(Response::new(self.validate(request.into_inner())?))
    }

    async fn get_capacity(
        &self,
        request: Request<GetCapacityRequest>,
    ) -> Result<Response<GetCapacityResponse>, Status> {
        let available_capacity = signed(self.capacity(request.get_ref())?);
        let maximum_volume_size = Some(available_capacity);
        Ok(Response::new(GetCapacityResponse { available_capacity, maximum_volume_size }))
    }

    async fn controller_get_capabilities(
        &self,
        _request: Request<ControllerGetCapabilitiesRequest>,
    ) -> Result<Response<ControllerGetCapabilitiesResponse>, Status> {
        let capability =
            |kind: rpc::Type| ControllerServiceCapability { r#type: Some(Type::Rpc(Rpc { r#type: kind.into() })) };
        let capabilities = OFFERED.map(capability).to_vec();
        Ok(Response::new(ControllerGetCapabilitiesResponse { capabilities }))
    }

    async fn controller_expand_volume(
        &self,
        request: Request<ControllerExpandVolumeRequest>,
    ) -> Result<Response<ControllerExpandVolumeResponse>, Status> {
        let image = self.expand(request.into_inner()).await?;
        let capacity_bytes = signed(image.bytes);
        Ok(Response::new(ControllerExpandVolumeResponse { capacity_bytes, node_expansion_required: true }))
    }
}
