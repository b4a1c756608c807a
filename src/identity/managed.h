/* identity/managed.h: the policies that AWS manages, which all accounts can attach: those of Keyspaces, of IAM, and the administrator's. */
#ifndef IDENTITY_MANAGED_H
#define IDENTITY_MANAGED_H

#include "identity/identities.h"

/* A new set: POLICY by their names, POLICY_VERSION their default versions. */
struct identities *managed_policies(void);

#endif
