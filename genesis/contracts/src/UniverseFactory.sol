// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IUniverseRegistry} from "./IUniverseRegistry.sol";

/// @title The factory of universes' contracts
/// @notice Stands in block 0 at 0x0000000000000000000000000000000000007501. What it creates for holders of a universe's
/// role DEPLOY, and what that creates in its constructor and later, belongs to the universe.
contract UniverseFactory {
    IUniverseRegistry private constant REGISTRY = IUniverseRegistry(0x0000000000000000000000000000000000007500);

    event Deployed(uint64 indexed id, address indexed deployed, address indexed by, bytes32 salt);

    /// The creation failed without saying why.
    error DeploymentFailed();

    /// @notice Creates a contract of universe `id` by CREATE2. The caller must hold DEPLOY. The value sent goes to the
    /// constructor, whose revert is passed on. Constructors cannot use the factory themselves.
    function deploy(uint64 id, bytes32 salt, bytes calldata initCode) external payable returns (address deployed) {
        REGISTRY.beginDeployment(id, msg.sender);
        bytes memory code = initCode;
        bytes32 ownSalt = _saltOf(id, salt);
        assembly ("memory-safe") {
            deployed := create2(callvalue(), add(code, 0x20), mload(code), ownSalt)
        }
        if (deployed == address(0)) _passOn();
        REGISTRY.endDeployment();
        emit Deployed(id, deployed, msg.sender, salt);
    }

    /// @notice Where `deploy` with these arguments puts a contract, whoever calls it.
    function addressOf(uint64 id, bytes32 salt, bytes32 initCodeHash) external view returns (address) {
        bytes32 h = keccak256(abi.encodePacked(bytes1(0xff), address(this), _saltOf(id, salt), initCodeHash));
        return address(uint160(uint256(h)));
    }

    /// @dev The universe is part of it: no universe can take another's addresses.
    function _saltOf(uint64 id, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(id, salt));
    }

    function _passOn() private pure {
        assembly ("memory-safe") {
            if returndatasize() {
                let ptr := mload(0x40)
                returndatacopy(ptr, 0, returndatasize())
                revert(ptr, returndatasize())
            }
        }
        revert DeploymentFailed();
    }
}
