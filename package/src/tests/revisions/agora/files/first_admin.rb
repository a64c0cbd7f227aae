# Makes the first administrator, once, with what a new forum is to begin with. People change all of
# it later in the forum itself, and nothing here takes that back.
unless User.where(admin: true).where("id > 0").exists?
  SiteSetting.title = ENV.fetch("FIRST_TITLE")
  # Belonging to the Entity does not give access by itself, and the forum is not the public's.
  SiteSetting.login_required = true
  admin = User.new(
    username: ENV.fetch("FIRST_ADMIN_USERNAME"),
    email: ENV.fetch("FIRST_ADMIN_EMAIL"),
    password: ENV.fetch("FIRST_ADMIN_PASSWORD"),
    active: true,
    approved: true,
  )
  admin.save!
  admin.activate
  admin.grant_admin!
end
