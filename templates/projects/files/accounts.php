<?php
// The first administrator, and the ways to sign in, by Phorge's own classes. Runs at each start and
// makes what is missing; a password that somebody changed stays changed.

require '/srv/phorge/scripts/init/init-script.php';

const OPENID = 'CommonsCloudOpenIDAuthProvider';

// The row of a way to sign in; `$properties` are its columns.
function commonscloud_provider(string $class, string $type, string $domain, bool $enabled, bool $registers): void {
    $config = id(new PhabricatorAuthProviderConfig())->loadOneWhere('providerClass = %s', $class);
    if (!$config) {
        if (!$enabled) {
            return;
        }
        $config = id(new PhabricatorAuthProviderConfig())
            ->setProviderClass($class)
            ->setProviderType($type)
            ->setProviderDomain($domain);
    }
    $config
        ->setIsEnabled((int) $enabled)
        ->setShouldAllowLogin(1)
        ->setShouldAllowRegistration((int) $registers)
        ->setShouldAllowLink((int) $registers)
        ->setShouldAllowUnlink(0)
        ->setShouldTrustEmails((int) $registers)
        ->save();
}

// The administrator of the Secret: an account that can enter at once.
function commonscloud_administrator(string $username, string $password, string $address): void {
    $user = id(new PhabricatorUser())->loadOneWhere('userName = %s', $username);
    if (!$user) {
        $user = id(new PhabricatorUser())
            ->setUsername($username)
            ->setRealName('Administrator')
            ->setIsAdmin(1)
            ->setIsApproved(1);
        $email = id(new PhabricatorUserEmail())->setAddress($address)->setIsVerified(1);
        id(new PhabricatorUserEditor())->setActor($user)->createNewUser($user, $email);
        echo "accounts: made the administrator {$username}\n";
    }
    $type = PhabricatorAuthPassword::PASSWORD_TYPE_ACCOUNT;
    $known = id(new PhabricatorAuthPassword())
        ->loadOneWhere('objectPHID = %s AND passwordType = %s', $user->getPHID(), $type);
    if (!$known) {
        PhabricatorAuthPassword::initializeNewPassword($user, $type)
            ->setPassword(new PhutilOpaqueEnvelope($password), $user)
            ->save();
    }
}

commonscloud_provider('PhabricatorPasswordAuthProvider', 'password', 'self', true, false);
commonscloud_provider(OPENID, 'openid', 'commonscloud', (string) getenv('OIDC') !== '', true);
commonscloud_administrator(
    getenv('ADMIN_USERNAME'),
    getenv('ADMIN_PASSWORD'),
    getenv('ADMIN_USERNAME').'@'.parse_url(getenv('BASE_URI'), PHP_URL_HOST));
