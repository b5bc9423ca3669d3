// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

struct PackedUserOperation {
    address sender;
    uint256 nonce;
    bytes initCode;
    bytes callData;
    bytes32 accountGasLimits;
    uint256 preVerificationGas;
    bytes32 gasFees;
    bytes paymasterAndData;
    bytes signature;
}

/// An ERC-4337 account of one key, which signs the operation's hash itself.
contract KeyAccount {
    address public immutable owner;
    address public immutable entryPoint;

    constructor(address owner_, address entryPoint_) {
        owner = owner_;
        entryPoint = entryPoint_;
    }

    receive() external payable {}

    function validateUserOp(PackedUserOperation calldata op, bytes32 hash, uint256 missing) external returns (uint256) {
        require(msg.sender == entryPoint);
        if (missing > 0) {
            (bool paid, ) = msg.sender.call{value: missing}("");
            require(paid);
        }
        (bytes32 r, bytes32 s) = abi.decode(op.signature[:64], (bytes32, bytes32));
        return ecrecover(hash, uint8(op.signature[64]), r, s) == owner ? 0 : 1;
    }

    function execute(address to, uint256 value, bytes calldata data) external {
        require(msg.sender == entryPoint);
        (bool done, ) = to.call{value: value}(data);
        require(done);
    }
}

contract AccountFactory {
    function create(address owner, address entryPoint) external returns (KeyAccount) {
        return new KeyAccount{salt: 0}(owner, entryPoint);
    }
}
