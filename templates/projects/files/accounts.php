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

// A mail address that nobody has; it is not written to.
function commonscloud_free_address(string $name, string $host): string {
    $address = "{$name}@{$host}";
    // guard: free-address
    for ($number = 2; id(new PhabricatorUserEmail())->loadOneWhere('address = %s', $address); $number++) {
        $address = "{$name}+{$number}@{$host}";
    }
    return $address;
}

// Somebody who can administer. While nobody can, the account of the Secret is made; later on it may
// have another name, or others may have taken over.
function commonscloud_administrator(string $username, string $password, string $host): void {
    $type = PhabricatorAuthPassword::PASSWORD_TYPE_ACCOUNT;
    // guard: any-administrator
    $found = id(new PhabricatorUser())->loadAllWhere('isAdmin = 1 AND isDisabled = 0 AND isSystemAgent = 0');
    $user = idx(mpull($found, null, 'getUsername'), $username);
    if (!$found) {
        if (id(new PhabricatorUser())->loadOneWhere('userName = %s', $username)) {
            echo "accounts: nobody administers here, and {$username} is an account that may not; see bin/user empower\n";
            return;
        }
        $user = id(new PhabricatorUser())
            ->setUsername($username)
            ->setRealName('Administrator')
            ->setIsAdmin(1)
            ->setIsApproved(1);
        $email = id(new PhabricatorUserEmail())
            ->setAddress(commonscloud_free_address($username, $host))
            ->setIsVerified(1);
        id(new PhabricatorUserEditor())->setActor($user)->createNewUser($user, $email);
        echo "accounts: made the administrator {$username}\n";
    }
    // Its password may be missing still: a start can be killed in between.
    $known = !$user || id(new PhabricatorAuthPassword())
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
    parse_url(getenv('BASE_URI'), PHP_URL_HOST));
