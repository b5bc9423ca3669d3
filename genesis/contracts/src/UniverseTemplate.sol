// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IUniverseRegistry} from "./IUniverseRegistry.sol";

/// @title What all templates share: roles, pausing, references
/// @notice Tokens stand still while the contract is paused, and while its universe is. The chain refuses transactions
/// to a paused universe's contracts by itself; calls that arrive through other contracts are refused here.
abstract contract UniverseTemplate is AccessControl, Pausable {
    /// @dev One mint. `referenceId` is the studio's own name of it, which can be used once; 0 is none and may repeat.
    struct MintItem {
        bytes32 referenceId;
        address to;
        uint256 id;
        uint256 amount;
    }

    /// @dev One slot; `to` is never zero in a used one.
    struct Reference {
        address to;
        uint64 time;
    }

    IUniverseRegistry internal constant REGISTRY = IUniverseRegistry(0x0000000000000000000000000000000000007500);

    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    /// @notice The universe that this contract belongs to; 0 if it was deployed outside of any. It never changes.
    uint64 public immutable universe;

    mapping(bytes32 referenceId => Reference) private _references;

    error ReferenceUsed(bytes32 referenceId);
    error UniversePaused(uint64 universe);
    error ZeroAdmin();

    /// @dev The zero address as minter: nobody yet.
    constructor(address admin, address minter) {
        if (admin == address(0)) revert ZeroAdmin();
        universe = REGISTRY.universeOf(address(this));
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(PAUSER_ROLE, admin);
        if (minter != address(0)) _grantRole(MINTER_ROLE, minter);
    }

    /// @notice Stops mints, transfers and burns; approvals and roles can still be changed.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @notice Whether the universe is paused or archived, whatever `paused()` says of the contract itself.
    function universePaused() public view returns (bool) {
        return universe != 0 && REGISTRY.isPaused(universe);
    }

    function referencesUsed(bytes32[] calldata referenceIds) external view returns (bool[] memory used) {
        used = new bool[](referenceIds.length);
        for (uint256 i = 0; i < used.length; ++i) {
            used[i] = _references[referenceIds[i]].to != address(0);
        }
    }

    /// @notice Who got what was minted under a reference, and when (block time); zeros for an unused one.
    function referenceOf(bytes32 referenceId) external view returns (address to, uint64 time) {
        Reference memory r = _references[referenceId];
        return (r.to, r.time);
    }

    /// @dev Before anything moves, once per call: the registry is not asked again for each item of a batch.
    function _requireMoving() internal view {
        _requireNotPaused();
        if (universePaused()) revert UniversePaused(universe);
    }

    /// @dev `to` must not be zero; callers refuse that in the same call.
    function _useReference(bytes32 referenceId, address to) internal {
        if (referenceId == 0) return;
        if (_references[referenceId].to != address(0)) revert ReferenceUsed(referenceId);
        _references[referenceId] = Reference(to, uint64(block.timestamp));
    }
}
