// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title The registry of universes
/// @notice A system address (0x0000000000000000000000000000000000007500) that the chain itself answers; it has no
/// bytecode of its own. A universe is a tenant of the chain: it owns contracts, may pay for its players' transactions
/// out of a gas account, and may be paused. Ids are 1, 2, 3, …; a slug is a universe's name in URLs.
/// @dev Input that is not canonical ABI (dirty high bits, offsets that point outside) reverts with empty data, as do
/// unknown selectors, value where none may come, and calls in the name of another account (DELEGATECALL).
/// "Seconds" are those of block headers.
interface IUniverseRegistry {
    // --- types -------------------------------------------------------------------------------------------------------

    /// @dev A universe that is paused refuses transactions whose `to` belongs to it, and pays for nothing. Archived is
    /// paused for good. Calls from one contract to another are never stopped; deposits neither.
    enum Status {
        None,
        Active,
        Paused,
        Archived
    }

    /// @dev Which transactions the universe pays for. All rules must hold; see also the callers, the targets and the
    /// budgets. A universe that never called setPolicy has an inactive one with maxDataBytes 4096.
    struct Policy {
        bool active;
        /// Transactions may carry value (which the sender pays).
        bool allowValue;
        /// Type 4 too, if its only authorization is the sender's own.
        bool allowSetCode;
        /// Contract creations by the universe's deployers too.
        bool allowCreate;
        /// Longest calldata.
        uint32 maxDataBytes;
        /// Pays while block.timestamp < expiry; type(uint64).max: always.
        uint64 expiry;
        /// Highest gas limit of one transaction.
        uint64 maxGas;
        /// Highest gas limit x price of one transaction, in wei.
        uint256 maxCost;
    }

    /// @dev A toll per unit of gas on transactions to the universe's contracts that the universe does not pay for:
    /// min(max, unit * (e^x - 1) + base), x = (backlog - tolerance * speedLimit) / (inertia * speedLimit), the backlog
    /// being the universe's gas not yet drained at speedLimit per second. speedLimit 0: no toll at all.
    struct Surcharge {
        uint64 speedLimit;
        uint64 tolerance;
        uint64 inertia;
        uint128 unit;
        uint128 base;
        uint128 max;
    }

    // --- errors ------------------------------------------------------------------------------------------------------

    /// No universe has this id.
    error UnknownUniverse(uint64 id);
    /// The caller is neither the owner nor, where `role` is not 0, a holder of that role which has not expired.
    error NotAuthorized(uint64 id, address caller, uint64 role);
    error NotChainOwner(address caller);
    error NotFactory(address caller);
    error NotPendingOwner(uint64 id, address caller);
    /// Creation is not open, and the caller is neither a listed creator nor a chain owner.
    error CreationClosed(address caller);
    /// 1 to 14 of a-z, 0-9 and '-' (not first, not last), then zeros.
    error InvalidSlug(bytes14 slug);
    error SlugTaken(bytes14 slug, uint64 id);
    /// The value sent is not the bond.
    error WrongBond(uint256 bond);
    error ZeroAddress();
    /// A bit that no role has.
    error InvalidRole(uint64 bits);
    /// More than 256 role holders.
    error TooManyRoles(uint64 id);
    /// An archived universe stays as it is.
    error UniverseArchived(uint64 id);
    /// More than 1,024 bytes.
    error MetadataTooLong(uint256 length);
    error GasAccountTooLow(uint64 id, uint256 available);
    /// A limit without a window.
    error InvalidBudget(uint192 limit, uint64 window);
    /// The two lists differ in length.
    error LengthMismatch(uint256 contracts, uint256 selectors);
    /// The callers list would have 2^24 entries.
    error TooManyCallers(uint64 id);
    error NotOffered(uint64 id, address account);
    /// The account already is deployer of a universe.
    error AlreadyDeployer(address account, uint64 id);
    error NotDeployer(address account);
    /// A deployer has no code of its own (an EIP-7702 delegation is allowed).
    error HasCode(address account);
    /// The address belongs to a universe for good.
    error AlreadyAttributed(address account, uint64 id);
    /// Predeploys, system addresses, the zero address and shared factories.
    error Unattributable(address account);
    error SurchargeAboveCap(uint256 max, uint256 cap);
    /// A speed limit without inertia.
    error InvalidSurcharge();
    /// Less than 3,600 seconds, or more than 2^32.
    error InvalidUpgradeDelay(uint64 upgradeDelay);
    error NothingPending(uint64 id);
    /// The factory is deploying already: a constructor may not use it.
    error DeploymentInProgress(uint64 id);
    error NoDeployment();

    // --- events ------------------------------------------------------------------------------------------------------

    event UniverseCreated(uint64 indexed id, bytes14 indexed slug, address indexed owner, uint256 bond);
    event OwnershipOffered(uint64 indexed id, address indexed owner, address indexed pendingOwner);
    event OwnershipTransferred(uint64 indexed id, address indexed oldOwner, address indexed newOwner);
    event RoleSet(uint64 indexed id, address indexed account, uint64 bits, uint64 expiry);
    event StatusChanged(uint64 indexed id, Status status, address indexed by);
    event MetadataChanged(uint64 indexed id, string metadataURI);
    event GasDeposited(uint64 indexed id, address indexed from, uint256 amount);
    event GasWithdrawn(uint64 indexed id, address indexed to, uint256 amount);
    event PolicySet(uint64 indexed id, Policy policy);
    event BudgetSet(uint64 indexed id, uint192 limit, uint64 window);
    event UserBudgetSet(uint64 indexed id, uint192 limit, uint64 window);
    /// One per entry that changed.
    event CallerSet(uint64 indexed id, address indexed account, bool listed);
    event TargetSet(uint64 indexed id, address indexed target, bytes4 indexed selector, bool listed);
    /// For calldata of less than four bytes.
    event ShortTargetSet(uint64 indexed id, address indexed target, bool listed);
    event ListsCleared(uint64 indexed id);
    event DeployerOffered(uint64 indexed id, address indexed account, bool offered);
    event DeployerSet(uint64 indexed id, address indexed account, bool isDeployer);
    event SurchargeScheduled(uint64 indexed id, Surcharge surcharge, uint64 upgradeDelay, uint64 startsAt);
    event SurchargeCancelled(uint64 indexed id);
    event BondSet(uint256 bond);
    event CreationOpenSet(bool open);
    event CreatorSet(address indexed account, bool listed);
    event SurchargeCapSet(uint256 cap);
    event UnattributableSet(address indexed account, bool unattributable);

    // --- universes ---------------------------------------------------------------------------------------------------

    /// @notice Creates a universe. The value sent must be the bond, which stays with the registry: the slug is taken
    /// for good. Anyone may if creation is open, else listed creators and chain owners.
    function createUniverse(bytes14 slug, address owner, string calldata metadataURI)
        external
        payable
        returns (uint64 id);
    /// @notice Offers the universe to `newOwner`; the zero address takes an offer back. Owner only.
    function transferOwnership(uint64 id, address newOwner) external;
    /// @notice Takes what was offered.
    function acceptOwnership(uint64 id) external;
    /// @notice Gives `account` exactly these roles until `expiry` (0: no end); bits 0 takes all of them. Owner only.
    /// Bits: DEPLOY 1 (the factory), OPERATE 2 (metadata), POLICY 4 (policy, budgets, lists), PAUSE 8. The owner has all.
    function setRole(uint64 id, address account, uint64 bits, uint64 expiry) external;
    /// @notice Gives up the caller's own roles.
    function renounceRole(uint64 id) external;
    /// @notice Pauses or resumes. PAUSE.
    function setPaused(uint64 id, bool paused) external;
    /// @notice Pauses for good: no universe can be erased. The gas account can still be withdrawn. Owner only.
    function archive(uint64 id) external;
    /// @notice At most 1,024 bytes. OPERATE.
    function setMetadataURI(uint64 id, string calldata metadataURI) external;

    // --- the gas account ---------------------------------------------------------------------------------------------

    /// @notice Adds the value sent to the gas account. Anyone may.
    function depositGas(uint64 id) external payable;
    /// @notice Moves wei out of the gas account. No code of `to` runs. Owner only.
    function withdrawGas(uint64 id, address to, uint256 amount) external;

    // --- who is paid for ---------------------------------------------------------------------------------------------

    /// @notice Replaces the rules, not the lists and budgets. POLICY.
    function setPolicy(uint64 id, Policy calldata policy_) external;
    /// @notice What the universe spends at most in `window` seconds, counted in fixed windows floor(time / window).
    /// Nothing is paid for before this was called. What was spent in the current window stays counted as long as the
    /// window's length does. POLICY.
    function setBudget(uint64 id, uint192 limit, uint64 window) external;
    /// @notice In addition, for each sender; window 0: no such limit. What a transaction used counts whatever its
    /// outcome. POLICY.
    function setUserBudget(uint64 id, uint192 limit, uint64 window) external;
    /// @notice Senders that are paid for; while the list is empty, all are. POLICY.
    function addCallers(uint64 id, address[] calldata accounts) external;
    /// @notice Removing the last one opens the policy to every sender. POLICY.
    function removeCallers(uint64 id, address[] calldata accounts) external;
    /// @notice Functions that are paid for: pairs of a contract and the first four bytes of calldata. A contract that
    /// does not belong to the universe has no effect here. POLICY.
    function addTargets(uint64 id, address[] calldata contracts, bytes4[] calldata selectors) external;
    function removeTargets(uint64 id, address[] calldata contracts, bytes4[] calldata selectors) external;
    /// @notice Contracts that may be called with less than four bytes of calldata. POLICY.
    function addShortTargets(uint64 id, address[] calldata contracts) external;
    function removeShortTargets(uint64 id, address[] calldata contracts) external;
    /// @notice Empties callers and targets at once. Deactivate the policy first: an empty callers list means everyone,
    /// though without targets nothing but creations is paid for. POLICY.
    function clearLists(uint64 id) external;

    // --- deployers: accounts whose creation transactions belong to the universe ---------------------------------------

    /// @notice Lets `account` call acceptDeployer, or takes that back. Owner only.
    function offerDeployer(uint64 id, address account, bool offered) external;
    /// @notice Makes the caller a deployer of this universe, the only one that it is deployer of.
    function acceptDeployer(uint64 id) external;
    /// @notice The caller is no deployer from now on.
    function resignDeployer() external;
    /// @notice Ends what offerDeployer and acceptDeployer began. Owner only.
    function dismissDeployer(uint64 id, address account) external;

    // --- the toll ----------------------------------------------------------------------------------------------------

    /// @notice These parameters, and this delay for the next change, hold from the universe's present upgrade delay on
    /// (at least one hour). Replaces what is pending. Owner only.
    function scheduleSurcharge(uint64 id, Surcharge calldata surcharge_, uint64 upgradeDelay) external;
    /// @notice Owner only.
    function cancelSurcharge(uint64 id) external;

    // --- for the factory alone ---------------------------------------------------------------------------------------

    /// @notice Until endDeployment, contracts that the factory creates belong to `id`. `account` must hold DEPLOY.
    function beginDeployment(uint64 id, address account) external;
    function endDeployment() external;

    // --- for chain owners --------------------------------------------------------------------------------------------

    function setUniverseBond(uint256 bond_) external;
    function setCreationOpen(bool open) external;
    function setCreator(address account, bool listed) external;
    /// @notice Bounds every universe's toll, those in force too.
    function setSurchargeCap(uint256 cap) external;
    /// @notice Shared factories: what they create belongs to nobody, and they to nobody.
    function setUnattributable(address account, bool unattributable) external;

    // --- views: zeros about what does not exist ------------------------------------------------------------------------

    function universeCount() external view returns (uint64);
    /// @notice 0 if no universe has this slug.
    function universeBySlug(bytes14 slug) external view returns (uint64 id);
    function universe(uint64 id)
        external
        view
        returns (
            bytes14 slug,
            address owner,
            address pendingOwner,
            Status status,
            uint64 createdAt,
            uint64 upgradeDelay,
            uint256 gasAccount,
            uint256 bond_
        );
    /// @notice Whether it is paused or archived: what contracts of the universe ask before they move anything.
    function isPaused(uint64 id) external view returns (bool);
    function metadataURI(uint64 id) external view returns (string memory);
    /// @notice As stored, whether expired or not; the owner's own roles are not listed.
    function roleOf(uint64 id, address account) external view returns (uint64 bits, uint64 expiry);
    /// @notice Whether `account` may do now what needs all of `bits`.
    function hasRole(uint64 id, address account, uint64 bits) external view returns (bool);
    function roleHolderCount(uint64 id) external view returns (uint64);
    /// @notice In no particular order. The zero address past the end.
    function roleHolderAt(uint64 id, uint64 index) external view returns (address);
    /// @notice The universe that a contract belongs to; 0 if none.
    function universeOf(address account) external view returns (uint64 id);
    /// @notice The universe whose deployer the account is; 0 if none.
    function deployerOf(address account) external view returns (uint64 id);
    function isDeployerOffered(uint64 id, address account) external view returns (bool);
    function policy(uint64 id) external view returns (Policy memory);
    /// @notice `spent` is that of the current window.
    function budget(uint64 id) external view returns (uint192 limit, uint64 window, uint192 spent);
    function userBudget(uint64 id) external view returns (uint192 limit, uint64 window);
    function userSpent(uint64 id, address account) external view returns (uint192 spent);
    function callerCount(uint64 id) external view returns (uint64);
    function isCaller(uint64 id, address account) external view returns (bool);
    function isTarget(uint64 id, address target, bytes4 selector) external view returns (bool);
    function isShortTarget(uint64 id, address target) external view returns (bool);
    /// @notice The parameters in force.
    function surcharge(uint64 id) external view returns (Surcharge memory);
    /// @notice `startsAt` is 0 if nothing is pending.
    function pendingSurcharge(uint64 id)
        external
        view
        returns (Surcharge memory pending, uint64 upgradeDelay, uint64 startsAt);
    /// @notice Wei per gas that a transaction to the universe pays on top, now.
    function surchargePrice(uint64 id) external view returns (uint256);
    /// @notice Wei in all gas accounts, which the registry's balance covers.
    function gasAccountsTotal() external view returns (uint256);
    function universeBond() external view returns (uint256);
    function isCreationOpen() external view returns (bool);
    function isCreator(address account) external view returns (bool);
    function surchargeCap() external view returns (uint256);
    function isUnattributable(address account) external view returns (bool);
    function factory() external view returns (address);
}
