// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The structures of the parent's rollup contract (nitro-contracts 3.2.0), as its calls encode them.
struct GlobalState {
    bytes32[2] bytes32Vals; // block hash, send root
    uint64[2] u64Vals; // batches consumed, position in the next one
}

struct AssertionState {
    GlobalState globalState;
    uint8 machineStatus;
    bytes32 endHistoryRoot;
}

struct ConfigData {
    bytes32 wasmModuleRoot;
    uint256 requiredStake;
    address challengeManager;
    uint64 confirmPeriodBlocks;
    uint64 nextInboxPosition;
}

struct BeforeStateData {
    bytes32 prevPrevAssertionHash;
    bytes32 sequencerBatchAcc;
    ConfigData configData;
}

struct AssertionInputs {
    BeforeStateData beforeStateData;
    AssertionState beforeState;
    AssertionState afterState;
}

interface IFastConfirmable {
    function fastConfirmNewAssertion(AssertionInputs calldata assertion, bytes32 expectedAssertionHash) external;
}

/// @title The rollup's fast confirmer: m of n members, each of whom re-executed the chain.
/// @notice A member signs EIP-712 `Confirm(bytes32 expectedAssertionHash)`. The hash binds the block hash, the send root and,
/// through the inbox accumulator, every batch and delayed message up to there; so a signature holds on one history of the parent
/// alone, and anyone may carry the signatures to this contract.
/// @dev The contract is made before the rollup, which names it in its configuration; the owner then names the rollup, once.
contract Confirmer {
    /// Most members; bounds the work of setMembers.
    uint256 public constant MEMBERS_MAX = 64;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant CONFIRM_TYPEHASH = keccak256("Confirm(bytes32 expectedAssertionHash)");
    bytes32 private constant NAME_HASH = keccak256("CallipterConfirmer");
    bytes32 private constant VERSION_HASH = keccak256("1");
    /// Half the order of secp256k1: of the two s that fit, the lower one is the signature (EIP-2).
    uint256 private constant S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    address public owner;
    address public pendingOwner;
    IFastConfirmable public rollup;
    uint256 public threshold;
    address[] private memberList;
    mapping(address => bool) public isMember;

    event OwnershipOffered(address indexed from, address indexed to);
    event OwnershipTransferred(address indexed from, address indexed to);
    event RollupSet(address indexed rollup);
    event MembersSet(address[] members, uint256 threshold);
    event Confirmed(bytes32 indexed assertionHash, uint256 signatures);

    error NotOwner(address caller);
    error NotPendingOwner(address caller);
    error RollupAlreadySet(address rollup);
    error NotContract(address account);
    error RollupNotSet();
    error BadThreshold(uint256 threshold, uint256 members);
    error TooManyMembers(uint256 members);
    error BadMember(address member);
    error TooFewSignatures(uint256 signatures, uint256 threshold);
    error BadSignature(uint256 index);
    error NotMember(address signer);
    /// Signers stand in ascending order, so that none counts twice.
    error SignersNotAscending(address previous, address signer);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    constructor(address owner_, address[] memory members_, uint256 threshold_) {
        if (owner_ == address(0)) revert NotOwner(owner_);
        owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
        _setMembers(members_, threshold_);
    }

    /// @notice Creates (if it is not there) and confirms the assertion, with signatures of at least `threshold` members in
    /// ascending order of their addresses. Each must be good: a wrong one is not passed over.
    function confirm(AssertionInputs calldata inputs, bytes32 expectedAssertionHash, bytes[] calldata signatures) external {
        if (address(rollup) == address(0)) revert RollupNotSet();
        if (signatures.length < threshold) revert TooFewSignatures(signatures.length, threshold);
        bytes32 hash = digest(expectedAssertionHash);
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; i++) {
            address signer = _recover(hash, signatures[i], i);
            if (!isMember[signer]) revert NotMember(signer);
            if (signer <= previous) revert SignersNotAscending(previous, signer);
            previous = signer;
        }
        emit Confirmed(expectedAssertionHash, signatures.length);
        rollup.fastConfirmNewAssertion(inputs, expectedAssertionHash);
    }

    /// @notice What a member signs for an assertion. The domain has the chain's id as it is now: after a fork of the parent,
    /// signatures of one side say nothing on the other.
    function digest(bytes32 expectedAssertionHash) public view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(CONFIRM_TYPEHASH, expectedAssertionHash))));
    }

    function members() external view returns (address[] memory) {
        return memberList;
    }

    function setRollup(address rollup_) external onlyOwner {
        if (address(rollup) != address(0)) revert RollupAlreadySet(address(rollup));
        if (rollup_.code.length == 0) revert NotContract(rollup_);
        rollup = IFastConfirmable(rollup_);
        emit RollupSet(rollup_);
    }

    /// @notice Replaces all members.
    function setMembers(address[] calldata members_, uint256 threshold_) external onlyOwner {
        _setMembers(members_, threshold_);
    }

    function offerOwnership(address to) external onlyOwner {
        pendingOwner = to;
        emit OwnershipOffered(owner, to);
    }

    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner(msg.sender);
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
    }

    function _setMembers(address[] memory members_, uint256 threshold_) private {
        if (members_.length > MEMBERS_MAX) revert TooManyMembers(members_.length);
        if (threshold_ == 0 || threshold_ > members_.length) revert BadThreshold(threshold_, members_.length);
        for (uint256 i = 0; i < memberList.length; i++) isMember[memberList[i]] = false;
        for (uint256 i = 0; i < members_.length; i++) {
            address member = members_[i];
            if (member == address(0) || isMember[member]) revert BadMember(member);
            isMember[member] = true;
        }
        memberList = members_;
        threshold = threshold_;
        emit MembersSet(members_, threshold_);
    }

    /// r | s | v, with v 27 or 28.
    function _recover(bytes32 hash, bytes calldata signature, uint256 index) private pure returns (address signer) {
        if (signature.length != 65) revert BadSignature(index);
        uint8 v = uint8(signature[64]);
        if (uint256(bytes32(signature[32:64])) > S_MAX || (v != 27 && v != 28)) revert BadSignature(index);
        signer = ecrecover(hash, v, bytes32(signature[0:32]), bytes32(signature[32:64]));
        if (signer == address(0)) revert BadSignature(index);
    }
}
