// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {UniverseERC20} from "../src/UniverseERC20.sol";
import {UniverseERC721} from "../src/UniverseERC721.sol";
import {UniverseItems} from "../src/UniverseItems.sol";
import {UniverseTemplate} from "../src/UniverseTemplate.sol";

/// @dev What of forge's cheats is used here.
interface Vm {
    function prank(address sender) external;
    function expectRevert(bytes calldata data) external;
    function expectRevert() external;
    function expectEmit() external;
    function etch(address target, bytes calldata code) external;
    function warp(uint256 time) external;
    function readFile(string calldata path) external view returns (string memory);
    function trim(string calldata text) external pure returns (string memory);
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function assume(bool condition) external pure;
    function assertEq(uint256 a, uint256 b) external pure;
    function assertEq(address a, address b) external pure;
    function assertEq(string calldata a, string calldata b) external pure;
    function assertTrue(bool condition) external pure;
    function assertTrue(bool condition, string calldata text) external pure;
    function assertFalse(bool condition) external pure;
    function assertLe(uint256 a, uint256 b) external pure;
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
RegistryStub constant registry = RegistryStub(address(0x7500));

/// @dev Stands where the chain answers: everything belongs to one universe.
contract RegistryStub {
    uint64 public owned;
    mapping(uint64 id => bool) public isPaused;

    function universeOf(address) external view returns (uint64) {
        return owned;
    }

    function attributeTo(uint64 id) external {
        owned = id;
    }

    function pauseUniverse(uint64 id, bool paused) external {
        isPaused[id] = paused;
    }
}

/// @dev Takes everything and counts how often it was asked.
contract Taker is IERC721Receiver, IERC1155Receiver {
    uint256 public asked;
    bool public asBatch;

    function onERC721Received(address, address, uint256, bytes calldata) public virtual returns (bytes4) {
        asked++;
        return this.onERC721Received.selector;
    }

    function onERC1155Received(address, address, uint256, uint256, bytes calldata) public virtual returns (bytes4) {
        asked++;
        return this.onERC1155Received.selector;
    }

    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        public
        virtual
        returns (bytes4)
    {
        asked++;
        asBatch = true;
        return this.onERC1155BatchReceived.selector;
    }

    function supportsInterface(bytes4) external pure returns (bool) {
        return true;
    }
}

/// @dev Has code and no hooks.
contract Refuser {}

/// @dev A minter that mints again, with the reference that is being used, when it is asked.
contract Reenterer is Taker {
    address public token;
    UniverseTemplate.MintItem private _again;
    bytes public failure;

    function arm(address token_, UniverseTemplate.MintItem calldata again) external {
        token = token_;
        _again = again;
    }

    function start(bytes calldata data) external {
        (bool ok, bytes memory result) = token.call(data);
        require(ok, string(result));
    }

    function onERC721Received(address a, address b, uint256 c, bytes calldata d) public override returns (bytes4) {
        _mintAgain();
        return super.onERC721Received(a, b, c, d);
    }

    function onERC1155Received(address a, address b, uint256 c, uint256 d, bytes calldata e)
        public
        override
        returns (bytes4)
    {
        _mintAgain();
        return super.onERC1155Received(a, b, c, d, e);
    }

    function _mintAgain() private {
        UniverseTemplate.MintItem[] memory items = new UniverseTemplate.MintItem[](1);
        items[0] = _again;
        (, failure) = token.call(abi.encodeCall(UniverseItems.mintBatch, (items)));
    }
}

/// @dev Names that all tests use.
abstract contract Names {
    address internal constant ADMIN = address(0xad);
    address internal constant MINTER = address(0x313);
    address internal constant ALICE = address(0xa11ce);
    address internal constant BOB = address(0xb0b);
    address internal constant STRANGER = address(0x5757);
    uint64 internal constant UNIVERSE = 7;

    function _item(bytes32 referenceId, address to, uint256 id, uint256 amount)
        internal
        pure
        returns (UniverseTemplate.MintItem memory)
    {
        return UniverseTemplate.MintItem(referenceId, to, id, amount);
    }
}

/// @dev Deploys what ships: the creation code in genesis/templates.
abstract contract Base is Names {
    string internal constant BASE_URI = "https://example.org/v1/u/arena/contracts/";

    function setUp() public virtual {
        vm.etch(address(registry), address(new RegistryStub()).code);
        registry.attributeTo(UNIVERSE);
    }

    function _create(string memory name, bytes memory args) internal returns (address made) {
        string memory text = vm.trim(vm.readFile(string.concat("templates/", name, ".hex")));
        bytes memory code = abi.encodePacked(vm.parseBytes(string.concat("0x", text)), args);
        assembly {
            made := create(0, add(code, 0x20), mload(code))
            if iszero(made) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    function _erc20(uint256 cap) internal returns (UniverseERC20) {
        return UniverseERC20(_create("erc20", abi.encode("Gold", "GLD", uint8(6), cap, ADMIN, MINTER)));
    }

    function _erc721() internal returns (UniverseERC721) {
        return UniverseERC721(_create("erc721", abi.encode("Deeds", "DEED", BASE_URI, ADMIN, MINTER)));
    }

    function _items() internal returns (UniverseItems) {
        return UniverseItems(_create("items", abi.encode("Items", "ITM", BASE_URI, ADMIN, MINTER)));
    }

    function _list(UniverseTemplate.MintItem memory a) internal pure returns (UniverseTemplate.MintItem[] memory l) {
        l = new UniverseTemplate.MintItem[](1);
        l[0] = a;
    }

    function _list(UniverseTemplate.MintItem memory a, UniverseTemplate.MintItem memory b)
        internal
        pure
        returns (UniverseTemplate.MintItem[] memory l)
    {
        l = new UniverseTemplate.MintItem[](2);
        (l[0], l[1]) = (a, b);
    }

    function _words(bytes32 a) internal pure returns (bytes32[] memory l) {
        l = new bytes32[](1);
        l[0] = a;
    }
}
